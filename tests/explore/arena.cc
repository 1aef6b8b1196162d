#include "arena.h"

#include <sys/mman.h>
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace millrace::explore {
namespace {

constexpr std::size_t line = 64;
constexpr std::size_t classes = 16;  // blocks of 64 << class bytes

struct Free {
  Free* next;
};
// Stands at the front of the arena, so that an image holds the allocator's state as well.
struct Head {
  std::size_t used;
  Free* free[classes];
};

bool on = false;

std::uint8_t* base() {
  static std::uint8_t* const memory = [] {
    void* room =
        mmap(nullptr, Arena::bytes_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) std::abort();
    auto* head = new (room) Head{};
    head->used = (sizeof(Head) + line - 1) / line * line;
    return static_cast<std::uint8_t*>(room);
  }();
  return memory;
}
Head& head() { return *reinterpret_cast<Head*>(base()); }

std::size_t class_of(std::size_t bytes) {
  return bytes <= line ? 0 : static_cast<std::size_t>(std::bit_width(bytes - 1)) - 6;
}

// A block has its class in the 16 bytes before it.
void* take_block(std::size_t bytes) {
  Head& all = head();
  const std::size_t kind = class_of(bytes + 16);
  if (kind >= classes) std::abort();
  std::uint8_t* block = reinterpret_cast<std::uint8_t*>(all.free[kind]);
  if (block != nullptr) {
    all.free[kind] = all.free[kind]->next;
  } else {
    block = base() + all.used;
    all.used += line << kind;
    if (all.used > Arena::bytes_max) {
      std::fputs("explore: a world needs more memory than the arena has\n", stderr);
      std::abort();
    }
  }
  *reinterpret_cast<std::size_t*>(block) = kind;
  return block + 16;
}

void give_block(void* at) {
  auto* block = static_cast<std::uint8_t*>(at) - 16;
  const std::size_t kind = *reinterpret_cast<std::size_t*>(block);
  Head& all = head();
  all.free[kind] = new (block) Free{all.free[kind]};
}

bool inside(const void* at) { return at >= base() && at < base() + Arena::bytes_max; }

}  // namespace

Arena::Scope::Scope() : before_(std::exchange(on, true)) {}
Arena::Scope::~Scope() { on = before_; }
Arena::Pause::Pause() : before_(std::exchange(on, false)) {}
Arena::Pause::~Pause() { on = before_; }
std::size_t Arena::used() { return head().used; }

void Image::take() {
  used_ = head().used;
  if (bytes_.size() < used_) bytes_.resize(used_);
  std::memcpy(bytes_.data(), base(), used_);
}

void Image::restore() const { std::memcpy(base(), bytes_.data(), used_); }

Image::Undo Image::advance() {
  Undo undo;
  undo.used = used_;
  const std::size_t both = std::min(used_, head().used);
  for (std::size_t at = 0; at < both; at += line) {
    if (std::memcmp(bytes_.data() + at, base() + at, line) == 0) continue;
    undo.lines.push_back(static_cast<std::uint32_t>(at / line));
    undo.bytes.insert(undo.bytes.end(), bytes_.data() + at, bytes_.data() + at + line);
  }
  // What lies beyond the new end comes back with the old one.
  for (std::size_t at = both; at < used_; at += line) {
    undo.lines.push_back(static_cast<std::uint32_t>(at / line));
    undo.bytes.insert(undo.bytes.end(), bytes_.data() + at, bytes_.data() + at + line);
  }
  take();
  return undo;
}

void Image::go_back(const Undo& undo) {
  for (std::size_t i = 0; i < undo.lines.size(); ++i) {
    std::memcpy(bytes_.data() + std::size_t{undo.lines[i]} * line, undo.bytes.data() + i * line,
                line);
  }
  used_ = undo.used;
}

}  // namespace millrace::explore

void* operator new(std::size_t bytes) {
  if (millrace::explore::on) return millrace::explore::take_block(bytes);
  void* room = std::malloc(bytes == 0 ? 1 : bytes);
  if (room == nullptr) std::abort();
  return room;
}
void operator delete(void* at) noexcept {
  if (at == nullptr) return;
  if (millrace::explore::inside(at)) return millrace::explore::give_block(at);
  std::free(at);
}
void operator delete(void* at, std::size_t /*bytes*/) noexcept { operator delete(at); }
