// Writes an audit log for the black-box tests, by the broker's own writer: audit_writer FOLDER
// [BYTES_MAX]. Each line of stdin is an entry, its fields between tabs (who, from, verb, on,
// result, message); after each entry that is on disk, its number is printed.
#include "audit/log.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

namespace {

using millrace::audit::Entry;

Entry entry_of(const std::string& line) {
  std::istringstream fields(line);
  std::array<std::string, 6> words;
  for (std::string& word : words) std::getline(fields, word, '\t');
  return {words[0], words[1], words[2], words[3], words[4].empty() ? "ok" : words[4], words[5]};
}

int failed(const millrace::audit::Failure& failure) {
  std::fprintf(stderr, "audit_writer: %s\n", failure.message.c_str());
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: audit_writer FOLDER [BYTES_MAX]\n");
    return 64;
  }
  millrace::audit::LogOptions options{.folder = arguments[1]};
  if (count > 2) options.file_bytes_max = std::strtoull(arguments[2], nullptr, 10);
  const auto log = millrace::audit::AuditLog::open(options);
  if (!log) return failed(log.error());
  for (std::string line; std::getline(std::cin, line);) {
    const auto seq = (*log)->append({entry_of(line)});
    if (!seq) return failed(seq.error());
    if (auto done = (*log)->sync(); !done) return failed(done.error());
    std::cout << *seq << std::endl;
  }
  return 0;
}
