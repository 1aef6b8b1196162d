#include "audit/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace millrace::audit {
namespace {

constexpr std::size_t copied_bytes = 65'536;

Entry remark(std::string_view verb, std::string on, std::string result, std::string message) {
  return {.who = std::string(own_name),
          .from = {},
          .verb = std::string(verb),
          .on = std::move(on),
          .result = std::move(result),
          .message = std::move(message)};
}

// Lines that follow each other, read from one file.
struct Scan {
  Tip tip;                 // behind the last valid line
  std::uint64_t size = 0;  // of the file: more than tip.bytes where the rest is not valid
  bool fragment = false;   // the rest is one line without its newline
  std::string wrong{};     // why the rest is not valid
};

// Empty, or why the line does not follow the tip. A tip without a number takes any line.
std::string why_not_next(const RawLine& raw, const Tip& tip, Line* line) {
  if (!raw.complete) return "it has no end";
  if (raw.too_long) return "it is longer than 8 KiB";
  auto decoded = decode(raw.text);
  if (!decoded) return decoded.error().message;
  *line = std::move(*decoded);
  if (line->hash != hash_of_line(raw.text)) return "its hash is not that of its text";
  if (tip.seq == 0) return {};
  const bool follows = line->seq == tip.seq + 1 && line->prev == tip.hash;
  return follows ? std::string{} : "it does not follow the line before";
}

Expected<Scan> scan(const std::string& folder, Tip from) {
  auto source = lines_of(folder, from.file, from.bytes);
  if (!source) return tl::unexpected(source.error());
  Scan result{.tip = std::move(from)};
  result.size = result.tip.bytes;
  for (;;) {
    const auto raw = source->next();
    if (!raw) return tl::unexpected(raw.error());
    if (!*raw) return result;
    result.size = (*raw)->end;
    if (!result.wrong.empty()) {
      result.fragment = false;
      continue;
    }
    Line line;
    result.wrong = why_not_next(**raw, result.tip, &line);
    result.fragment = !(*raw)->complete;
    if (!result.wrong.empty()) continue;
    result.tip.seq = line.seq;
    result.tip.hash = line.hash;
    result.tip.bytes = (*raw)->end;
  }
}

// Whether the line that the head names ends where the head says, unchanged.
Expected<bool> is_in_log(const std::string& folder, const Head& head) {
  const std::string path = in_folder(folder, name_of(head.file));
  const auto file = open_file(path, O_RDONLY);
  if (!file && file.error().kind == FailureKind::not_found) return false;
  if (!file) return tl::unexpected(file.error());
  const std::uint64_t bytes = std::min<std::uint64_t>(head.bytes, line_bytes_max);
  std::string text(bytes, '\0');
  const auto got =
      ::pread(file->get(), text.data(), text.size(), static_cast<off_t>(head.bytes - bytes));
  if (got < 0) return tl::unexpected(system_failure("cannot read", path, errno));
  if (static_cast<std::uint64_t>(got) != bytes || !text.ends_with('\n')) return false;
  text.pop_back();
  const auto newline = text.rfind('\n');
  if (newline != text.npos) text.erase(0, newline + 1);
  const auto line = decode(text);
  return line && line->seq == head.seq && line->hash == head.hash &&
         hash_of_line(text) == head.hash;
}

// A name that is free, for the rest of a file behind the line.
Expected<std::string> torn_name(const std::string& folder, std::uint64_t seq) {
  const std::string name = "torn-after-line-" + std::to_string(seq);
  for (int i = 1; i <= 1'000; ++i) {
    std::string tried = i == 1 ? name : name + "-" + std::to_string(i);
    struct stat about {};
    const std::string path = in_folder(folder, tried);
    if (::lstat(path.c_str(), &about) == 0) continue;
    if (errno == ENOENT) return tried;
    return tl::unexpected(system_failure("cannot examine", path, errno));
  }
  return tl::unexpected(Failure{
      FailureKind::damaged, "the folder " + folder + " holds a thousand files " + name +
                                "-N: move them away, and find out why the broker keeps crashing"});
}

Expected<void> copy_rest(const File& from, const File& to, std::uint64_t offset,
                         const std::string& path) {
  std::string piece(copied_bytes, '\0');
  for (;;) {
    const auto got = ::pread(from.get(), piece.data(), piece.size(), static_cast<off_t>(offset));
    if (got < 0) return tl::unexpected(system_failure("cannot read", path, errno));
    if (got == 0) return {};
    const auto bytes = static_cast<std::size_t>(got);
    if (!write_all(to.get(), std::string_view(piece).substr(0, bytes))) {
      return tl::unexpected(system_failure("cannot copy the end of", path, errno));
    }
    offset += bytes;
  }
}

// The copy is on disk before the rest is removed from its file. Answers the name of the copy.
Expected<std::string> move_rest(const std::string& folder, const Tip& tip) {
  const std::string path = in_folder(folder, name_of(tip.file));
  auto name = torn_name(folder, tip.seq);
  if (!name) return tl::unexpected(name.error());
  const auto from = open_file(path, O_RDWR);
  if (!from) return tl::unexpected(from.error());
  const auto to = open_file(in_folder(folder, *name), O_WRONLY | O_CREAT | O_EXCL);
  if (!to) return tl::unexpected(to.error());
  if (auto done = copy_rest(*from, *to, tip.bytes, path); !done)
    return tl::unexpected(done.error());
  if (::fsync(to->get()) != 0) {
    return tl::unexpected(system_failure("cannot sync", in_folder(folder, *name), errno));
  }
  if (auto done = sync_folder(folder); !done) return tl::unexpected(done.error());
  if (::ftruncate(from->get(), static_cast<off_t>(tip.bytes)) != 0 || ::fsync(from->get()) != 0) {
    return tl::unexpected(system_failure("cannot remove the incomplete end of", path, errno));
  }
  return name;
}

Failure damaged(const std::string& folder, const Scan& scan) {
  return {FailureKind::damaged,
          in_folder(folder, name_of(scan.tip.file)) + ": what follows line " +
              std::to_string(scan.tip.seq) + " of the log is not a line of it: " + scan.wrong +
              "; 'millrace audit verify' shows more. To begin a new log, move this folder away"};
}

class Recovery {
 public:
  explicit Recovery(const std::string& folder) : folder_(folder) {}

  Expected<Recovered> run() {
    auto numbers = files_in(folder_);
    if (!numbers) return tl::unexpected(numbers.error());
    numbers_ = std::move(*numbers);
    if (auto done = look_at_head(); !done) return tl::unexpected(done.error());
    if (numbers_.empty()) return without_files();
    auto done = head_in_log_ ? from_head() : from_last_file();
    if (!done) return tl::unexpected(done.error());
    compare_with_head();
    return std::move(result_);
  }

 private:
  Expected<void> look_at_head() {
    auto head = read_head(folder_);
    if (!head && head.error().kind != FailureKind::damaged) return tl::unexpected(head.error());
    head_damaged_ = !head;
    if (!head || !*head) return {};
    head_ = **head;
    const auto in_log = is_in_log(folder_, *head_);
    if (!in_log) return tl::unexpected(in_log.error());
    head_in_log_ = *in_log;
    return {};
  }

  // All files were moved away: the chain continues behind the line that the head names.
  Recovered without_files() {
    if (head_) result_.tip = {head_->seq, head_->hash, head_->file + 1, 0};
    if (head_damaged_) remark_on_head();
    return std::move(result_);
  }

  // What follows the head was not synced, so of it only the lines that are valid count.
  Expected<void> from_head() {
    Tip tip{head_->seq, head_->hash, head_->file, head_->bytes};
    for (;;) {
      auto scanned = scan(folder_, tip);
      if (!scanned) return tl::unexpected(scanned.error());
      const bool last = scanned->tip.file == numbers_.back();
      if (last) return settle(*scanned, true);
      if (scanned->size != scanned->tip.bytes) return tl::unexpected(damaged(folder_, *scanned));
      tip = std::move(scanned->tip);
      tip.file += 1;
      tip.bytes = 0;
    }
  }

  // A file without a line is one that had just been made: the line before is in another.
  Expected<void> from_last_file() {
    const std::uint64_t last = numbers_.back();
    for (auto number = numbers_.rbegin(); number != numbers_.rend(); ++number) {
      auto scanned = scan(folder_, Tip{.file = *number});
      if (!scanned) return tl::unexpected(scanned.error());
      const bool whole = scanned->size == scanned->tip.bytes;
      if (*number != last && !whole) return tl::unexpected(damaged(folder_, *scanned));
      if (*number == last) {
        if (auto done = settle(*scanned, false); !done) return done;
      } else {
        result_.tip.seq = scanned->tip.seq;
        result_.tip.hash = scanned->tip.hash;
      }
      if (scanned->tip.seq != 0) return {};
    }
    return {};
  }

  Expected<void> settle(const Scan& scanned, bool behind_head) {
    result_.tip = scanned.tip;
    if (scanned.size == scanned.tip.bytes) return {};
    if (!behind_head && !scanned.fragment) return tl::unexpected(damaged(folder_, scanned));
    const auto name = move_rest(folder_, scanned.tip);
    if (!name) return tl::unexpected(name.error());
    result_.remarks.push_back(remark(verb_tail_moved, *name, "ok",
                                     std::to_string(scanned.size - scanned.tip.bytes) +
                                         " bytes at the end of " + name_of(scanned.tip.file) +
                                         " were not complete and had not been synced"));
    return {};
  }

  void compare_with_head() {
    // Between its first line and its first head a log may be interrupted.
    if (head_in_log_ || (!head_ && result_.tip.seq <= 1)) return;
    remark_on_head();
  }

  void remark_on_head() {
    const std::string end = "the log ended with line " + std::to_string(result_.tip.seq);
    const std::string message =
        head_ ? "the head file named line " + std::to_string(head_->seq) + " with the hash " +
                    head_->hash + ", which is not there; " + end
              : "the head file was " + std::string(head_damaged_ ? "damaged" : "missing") + "; " +
                    end;
    result_.remarks.push_back(
        remark(verb_head_mismatch, std::string(head_name), "damaged", message));
  }

  const std::string& folder_;
  std::vector<std::uint64_t> numbers_;
  std::optional<Head> head_;
  bool head_damaged_ = false, head_in_log_ = false;
  Recovered result_;
};

}  // namespace

Expected<Recovered> recover(const std::string& folder) { return Recovery(folder).run(); }

}  // namespace millrace::audit
