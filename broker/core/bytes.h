// Immutable bytes with a reference count: payloads, keys, headers, error texts. One allocation each
// and none when empty, so that a job is small and no job keeps a whole received frame in memory.
// Threads: the count is not atomic. An object and its copies belong to one thread at a time; all of
// them may move to another thread together.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::core {

class Bytes {
 public:
  Bytes() = default;
  Bytes(std::string_view bytes) : block_(made(bytes)) {}
  Bytes(const std::string& bytes) : Bytes(std::string_view(bytes)) {}
  Bytes(const char* text) : Bytes(std::string_view(text)) {}
  Bytes(const Bytes& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->uses;
  }
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr && --block_->uses == 0) ::operator delete(block_);
  }

  [[nodiscard]] std::string_view bytes() const {
    return block_ == nullptr ? std::string_view() : std::string_view(data(block_), block_->size);
  }
  [[nodiscard]] std::string str() const { return std::string(bytes()); }
  [[nodiscard]] bool empty() const { return block_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  operator std::string_view() const { return bytes(); }
  friend bool operator==(const Bytes& a, const Bytes& b) { return a.bytes() == b.bytes(); }
  friend bool operator==(const Bytes& a, std::string_view b) { return a.bytes() == b; }
  friend bool operator==(const Bytes& a, const std::string& b) { return a.bytes() == b; }
  friend bool operator==(const Bytes& a, const char* b) { return a.bytes() == b; }

 private:
  struct Block {
    std::uint32_t uses, size;  // the bytes follow
  };
  static char* data(Block* block) { return reinterpret_cast<char*>(block + 1); }
  static Block* made(std::string_view bytes) {
    if (bytes.empty()) return nullptr;
    void* room = ::operator new(sizeof(Block) + bytes.size());
    auto* block = new (room) Block{1, static_cast<std::uint32_t>(bytes.size())};
    std::memcpy(data(block), bytes.data(), bytes.size());
    return block;
  }

  Block* block_ = nullptr;
};

}  // namespace millrace::core
