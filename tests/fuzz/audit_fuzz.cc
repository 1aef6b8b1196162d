// Fuzzing: any bytes as a file of the audit log, and as its head. Input: a byte, then the file. If
// the byte is odd, each line gets the right hash of its own first, so that inputs reach the checks
// of the chain.
#include "audit/files.h"
#include "audit/verifier.h"

#include <sys/mman.h>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace millrace::audit;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string with_right_hashes(std::string_view file) {
  std::string out;
  while (!file.empty()) {
    const std::size_t newline = file.find('\n');
    std::string line(file.substr(0, newline));
    const std::string hash = hash_of_line(line);
    if (line.size() > hash_digits + 2)
      line.replace(line.size() - hash_digits - 2, hash_digits, hash);
    out += line;
    if (newline == file.npos) break;
    out += '\n';
    file.remove_prefix(newline + 1);
  }
  return out;
}

// Through the reader of files.
template <typename Take>
void each_line(std::string_view bytes, Take take) {
  File file(::memfd_create("audit", MFD_CLOEXEC));
  check(file.is_open() && write_all(file.get(), bytes));
  LineSource source(std::move(file), "memory", 0);
  std::uint64_t at = 0;
  for (;;) {
    const auto raw = source.next();
    check(raw.has_value());
    if (!*raw) break;
    check((*raw)->begin == at && (*raw)->end > at);
    at = (*raw)->end;
    take(**raw);
  }
  check(at == bytes.size());
}

// One text, one meaning.
void decoded(std::string_view text, const Line& line) {
  Line again = line;
  const std::string spelled = encode(again);
  check(spelled.size() == text.size() && spelled.size() < line_bytes_max);
  const std::size_t body = text.size() - hash_digits - 2;
  check(spelled.substr(0, body) == text.substr(0, body));
  check((again.hash == line.hash) == (hash_of_line(text) == line.hash));
}

// What an intact log is, said once more.
bool is_chain(const std::vector<Line>& lines) {
  std::string prev(no_hash);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Line line = lines[i];
    const std::string hash = line.hash;
    (void)encode(line);
    if (line.seq != i + 1 || line.prev != prev || line.hash != hash) return false;
    prev = hash;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view given(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto head = decode_head(given)) check(encode(*head) == given);
  const std::string file = (*data & 1U) != 0 ? with_right_hashes(given) : std::string(given);
  std::vector<Line> lines;
  std::optional<Head> head;
  each_line(file, [&](const RawLine& raw) {
    const auto line = decode(raw.text);
    check(line || !line.error().message.empty());
    if (!line) return;
    decoded(raw.text, *line);
    if (!raw.complete) return;
    lines.push_back(*line);
    head = Head{line->seq, line->hash, 1, raw.end};
  });
  Verifier verifier(head, {});
  verifier.begin_file(1);
  each_line(file, [&verifier](const RawLine& raw) { verifier.line(raw); });
  const Report report = verifier.finish();
  check(report.problems.empty() == report.intact());
  if (head && report.intact()) check(is_chain(lines) && report.lines == lines.size());
  return 0;
}
