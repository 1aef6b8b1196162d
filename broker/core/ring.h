// A double-ended queue in one array that grows by doubling and shrinks when it is mostly empty.
// Unlike std::deque it needs no memory while empty, and no allocation for each element.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace millrace::core {

template <typename T>
class Ring {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t at) { return slots_[place(at)]; }
  [[nodiscard]] const T& operator[](std::size_t at) const { return slots_[place(at)]; }
  [[nodiscard]] T& front() { return slots_[first_]; }
  [[nodiscard]] const T& front() const { return slots_[first_]; }

  void push_back(T&& value) {
    make_room();
    slots_[place(size_)] = std::move(value);
    ++size_;
  }
  void push_front(T&& value) {
    make_room();
    first_ = place(slots_.size() - 1);
    slots_[first_] = std::move(value);
    ++size_;
  }
  T pop_front() {
    T value = std::exchange(slots_[first_], T());
    first_ = place(1);
    --size_;
    give_back_room();
    return value;
  }
  // Takes out the element at a place; those behind it move up.
  T erase(std::size_t at) {
    T value = std::move((*this)[at]);
    for (std::size_t i = at; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
    (*this)[--size_] = T();
    give_back_room();
    return value;
  }

 private:
  static constexpr std::size_t slots_min = 8;

  // The number of slots is a power of two.
  [[nodiscard]] std::size_t place(std::size_t at) const {
    return (first_ + at) & (slots_.size() - 1);
  }
  void make_room() {
    if (size_ == slots_.size()) resize(size_ == 0 ? slots_min : 2 * size_);
  }
  void give_back_room() {
    if (size_ == 0 && slots_.size() > slots_min) {
      slots_ = {};
      first_ = 0;
    } else if (size_ > slots_min && size_ < slots_.size() / 8) {
      resize(slots_.size() / 4);
    }
  }
  void resize(std::size_t slots) {
    std::vector<T> moved(slots);
    for (std::size_t i = 0; i < size_; ++i) moved[i] = std::move((*this)[i]);
    slots_ = std::move(moved);
    first_ = 0;
  }

  std::vector<T> slots_;
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace millrace::core
