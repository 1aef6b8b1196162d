// The files of an audit log: their names, reading them line by line in bounded memory, and the head
// file, which says how far the log was synced.
#pragma once

#include "audit/line.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::audit {

// Owns a file descriptor.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  ~File();
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

[[nodiscard]] Expected<File> open_file(const std::string& path, int flags);  // 0600 where it is new
[[nodiscard]] bool write_all(int fd, std::string_view bytes);                // false: errno
[[nodiscard]] Expected<std::uint64_t> size_of(const File& file, const std::string& path);
[[nodiscard]] Expected<void> sync_folder(const std::string& folder);
[[nodiscard]] std::string in_folder(const std::string& folder, std::string_view name);

[[nodiscard]] std::string name_of(std::uint64_t number);  // "audit-00000001.jsonl"
[[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view name);
// The numbers of the log's files, in order.
[[nodiscard]] Expected<std::vector<std::uint64_t>> files_in(const std::string& folder);

// A line as it stands in a file.
struct RawLine {
  std::string_view text;    // without the newline; empty if it is too long
  std::uint64_t begin = 0;  // offsets in the file
  std::uint64_t end = 0;    // behind the newline
  bool complete = false;    // it ends with a newline
  bool too_long = false;
};

class LineSource {
 public:
  LineSource(File file, std::string path, std::uint64_t offset)
      : file_(std::move(file)), path_(std::move(path)), next_(offset) {}
  // The text is valid until the next call. Nothing at the end of the file.
  [[nodiscard]] Expected<std::optional<RawLine>> next();

 private:
  [[nodiscard]] Expected<bool> fill();  // false at the end of the file
  File file_;
  std::string path_, buffer_;
  std::size_t used_ = 0;    // bytes of the buffer that were given out
  std::uint64_t next_ = 0;  // offset in the file of what follows the used bytes
};

[[nodiscard]] Expected<LineSource> lines_of(const std::string& folder, std::uint64_t number,
                                            std::uint64_t offset = 0);

// The last line that is known to be on disk, and where it ends.
struct Head {
  std::uint64_t seq = 0;
  std::string hash;
  std::uint64_t file = 0, bytes = 0;
};

inline constexpr std::string_view head_name = "head";
inline constexpr std::size_t head_bytes = 256;  // always, so that it is overwritten in place
[[nodiscard]] std::string encode(const Head& head);
[[nodiscard]] std::optional<Head> decode_head(std::string_view text);
// Nothing where there is no file; FailureKind::damaged where it is not one that we wrote.
[[nodiscard]] Expected<std::optional<Head>> read_head(const std::string& folder);

}  // namespace millrace::audit
