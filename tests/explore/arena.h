// Memory that holds a whole world, so that its state can be saved and restored as bytes: pointers
// stay valid, because the memory never moves. While an Arena::Scope lives, every `new` of the
// program allocates from it; memory that was allocated outside is not affected. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::explore {

class Arena {
 public:
  static constexpr std::size_t bytes_max = std::size_t{4} << 20;
  class Scope {
   public:
    Scope();
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    bool before_;
  };
  // Memory goes to and fro by the allocator in use; a world outside costs nothing more.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    bool before_;
  };

  [[nodiscard]] static std::size_t used();
};

// The bytes of one state, and how to get from it to an earlier one.
class Image {
 public:
  void take();           // remembers the arena as it is
  void restore() const;  // makes the arena as it was
  // What has to be copied over this image to undo what the arena has done since, and this
  // image brought up to the arena.
  struct Undo {
    std::size_t used = 0;
    std::vector<std::uint32_t> lines;
    std::vector<std::uint8_t> bytes;
  };
  [[nodiscard]] Undo advance();
  void go_back(const Undo& undo);  // the image; the arena follows by restore()

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t used_ = 0;
};

}  // namespace millrace::explore
