#include "audit/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace millrace::audit {
namespace {

constexpr std::size_t piece_bytes = 65'536;
constexpr std::string_view name_begin = "audit-", name_end = ".jsonl";
constexpr std::size_t name_digits = 8;
constexpr std::size_t check_digits = 16;
// A reader can meet the head file while it is being overwritten.
constexpr int head_reads_max = 5;

Expected<std::string> read_small(const std::string& path, std::size_t bytes_max) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  std::string text(bytes_max + 1, '\0');
  const auto got = ::pread(file->get(), text.data(), text.size(), 0);
  if (got < 0) return tl::unexpected(system_failure("cannot read", path, errno));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

// A member that is a number, read from the front.
std::optional<std::uint64_t> take_number(std::string_view* rest, std::string_view before) {
  if (!rest->starts_with(before)) return std::nullopt;
  rest->remove_prefix(before.size());
  std::uint64_t value = 0;
  const auto read = std::from_chars(rest->data(), rest->data() + rest->size(), value);
  if (read.ec != std::errc{}) return std::nullopt;
  rest->remove_prefix(static_cast<std::size_t>(read.ptr - rest->data()));
  return value;
}

}  // namespace

Failure system_failure(const std::string& doing, const std::string& path, int error) {
  const std::string what = doing + " " + path + ": " + std::strerror(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR: return {FailureKind::not_found, what};
    case EACCES:
    case EPERM:
      return {FailureKind::denied,
              what + "; the audit log belongs to the broker's user: use that user or root"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return {FailureKind::no_space, what + "; make space on this disk"};
    default: return {FailureKind::io, what};
  }
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Expected<File> open_file(const std::string& path, int flags) {
  File file(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return tl::unexpected(system_failure("cannot open", path, errno));
  return file;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = EIO;
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

Expected<std::uint64_t> size_of(const File& file, const std::string& path) {
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) {
    return tl::unexpected(system_failure("cannot examine", path, errno));
  }
  return static_cast<std::uint64_t>(about.st_size);
}

Expected<void> sync_folder(const std::string& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.get()) != 0) {
    return tl::unexpected(system_failure("cannot sync the folder", folder, errno));
  }
  return {};
}

std::string in_folder(const std::string& folder, std::string_view name) {
  return folder + "/" + std::string(name);
}

std::string name_of(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < name_digits) digits.insert(0, name_digits - digits.size(), '0');
  return std::string(name_begin) + digits + std::string(name_end);
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(name_begin) || !name.ends_with(name_end)) return std::nullopt;
  const char* const first = name.data() + name_begin.size();
  const char* const last = name.data() + std::max(name.size() - name_end.size(), name_begin.size());
  std::uint64_t number = 0;
  const auto read = std::from_chars(first, last, number);
  if (read.ec != std::errc{} || number == 0 || name_of(number) != name) return std::nullopt;
  return number;
}

Expected<std::vector<std::uint64_t>> files_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) return tl::unexpected(system_failure("cannot open the folder", folder, errno));
  std::vector<std::uint64_t> numbers;
  errno = 0;
  while (const dirent* entry = ::readdir(open.get())) {
    if (const auto number = number_of(entry->d_name)) numbers.push_back(*number);
  }
  if (errno != 0) return tl::unexpected(system_failure("cannot read the folder", folder, errno));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Expected<bool> LineSource::fill() {
  buffer_.erase(0, used_);
  used_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + piece_bytes);
  ssize_t got = 0;
  do {
    got =
        ::pread(file_.get(), buffer_.data() + kept, piece_bytes, static_cast<off_t>(next_ + kept));
  } while (got < 0 && errno == EINTR);
  buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) return tl::unexpected(system_failure("cannot read", path_, errno));
  return got > 0;
}

Expected<std::optional<RawLine>> LineSource::next() {
  RawLine line{.begin = next_};
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(used_);
    const std::size_t newline = rest.find('\n');
    const std::size_t bytes = newline == rest.npos ? rest.size() : newline + 1;
    const bool whole = newline != rest.npos;
    if (whole || line.too_long || bytes > line_bytes_max) {
      line.too_long = line.too_long || bytes > line_bytes_max;
      used_ += bytes;
      next_ += bytes;
    }
    if (whole) {
      if (!line.too_long) line.text = rest.substr(0, newline);
      line.complete = true;
      break;
    }
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (*more) continue;
    if (line.too_long || buffer_.empty()) break;
    line.text = buffer_;
    used_ = buffer_.size();
    next_ += used_;
    break;
  }
  line.end = next_;
  if (line.end == line.begin) return std::nullopt;
  return line;
}

Expected<LineSource> lines_of(const std::string& folder, std::uint64_t number,
                              std::uint64_t offset) {
  const std::string path = in_folder(folder, name_of(number));
  auto file = open_file(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  return LineSource(std::move(*file), path, offset);
}

std::string encode(const Head& head) {
  std::string text = "{\"seq\":" + std::to_string(head.seq) + ",\"hash\":\"" + head.hash +
                     "\",\"file\":" + std::to_string(head.file) +
                     ",\"bytes\":" + std::to_string(head.bytes);
  text += ",\"check\":\"" + sha256(text).substr(0, check_digits) + "\"}";
  text.resize(head_bytes - 1, ' ');
  return text + '\n';
}

std::optional<Head> decode_head(std::string_view text) {
  std::string_view rest = text;
  Head head;
  const auto seq = take_number(&rest, "{\"seq\":");
  constexpr std::string_view before_hash = ",\"hash\":\"";
  if (!seq || !rest.starts_with(before_hash)) return std::nullopt;
  head.seq = *seq;
  head.hash = rest.substr(before_hash.size(), hash_digits);
  rest.remove_prefix(std::min(rest.size(), before_hash.size() + hash_digits));
  const auto file = take_number(&rest, "\",\"file\":");
  const auto bytes = take_number(&rest, ",\"bytes\":");
  if (!file || !bytes || !is_hash(head.hash)) return std::nullopt;
  head.file = *file;
  head.bytes = *bytes;
  if (head.seq == 0 || head.file == 0 || encode(head) != text) return std::nullopt;
  return head;
}

Expected<std::optional<Head>> read_head(const std::string& folder) {
  const std::string path = in_folder(folder, head_name);
  for (int i = 0; i < head_reads_max; ++i) {
    const auto text = read_small(path, head_bytes);
    if (!text && text.error().kind == FailureKind::not_found) return std::nullopt;
    if (!text) return tl::unexpected(text.error());
    if (auto head = decode_head(*text)) return head;
  }
  return tl::unexpected(
      Failure{FailureKind::damaged, "the file " + path + " is not as the audit log writes it"});
}

}  // namespace millrace::audit
