#include "audit/reader.h"

#include "audit/files.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace millrace::audit {
namespace {

constexpr std::size_t findings_max = 100;

Expected<std::vector<std::uint64_t>> files_of_log(const std::string& folder) {
  auto numbers = files_in(folder);
  if (numbers && numbers->empty()) {
    return tl::unexpected(
        Failure{FailureKind::not_found, "there is no audit log in the folder " + folder});
  }
  return numbers;
}

// Calls take(RawLine) for each line of a file.
template <typename Take>
Expected<void> each_line(const std::string& folder, std::uint64_t number, Take take) {
  auto source = lines_of(folder, number);
  if (!source) return tl::unexpected(source.error());
  for (;;) {
    const auto raw = source->next();
    if (!raw) return tl::unexpected(raw.error());
    if (!*raw) return {};
    take(**raw);
  }
}

// Lines of one file that match, to take(Found).
template <typename Take>
Expected<void> each_match(const std::string& folder, std::uint64_t number, const Filter& filter,
                          std::vector<Finding>* findings, Take take) {
  std::uint64_t at = 0;
  return each_line(folder, number, [&](const RawLine& raw) {
    ++at;
    auto line = decode(raw.text);
    if (line && matches(filter, *line)) {
      take(Found{std::move(*line), std::string(raw.text)});
    } else if (!line && raw.complete && findings->size() < findings_max) {
      findings->push_back(
          {name_of(number), at, "this is not a line of the audit log: " + line.error().message});
    }
  });
}

// The last `limit` ones of all files, from the newest file backwards.
Expected<std::deque<Found>> last_matches(const std::string& folder,
                                         const std::vector<std::uint64_t>& numbers,
                                         const Filter& filter, std::vector<Finding>* findings) {
  std::deque<Found> all;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    const std::size_t wanted = *filter.limit - all.size();
    if (wanted == 0) break;
    std::deque<Found> of_file;
    auto done = each_match(folder, *number, filter, findings, [&](Found found) {
      of_file.push_back(std::move(found));
      if (of_file.size() > wanted) of_file.pop_front();
    });
    if (!done) return tl::unexpected(done.error());
    all.insert(all.begin(), std::make_move_iterator(of_file.begin()),
               std::make_move_iterator(of_file.end()));
  }
  return all;
}

}  // namespace

bool matches(const Filter& filter, const Line& line) {
  const Entry& entry = line.entry;
  return (!filter.who || entry.who == *filter.who) &&
         (!filter.verb || entry.verb == *filter.verb) &&
         (!filter.on_prefix || entry.on.starts_with(*filter.on_prefix)) &&
         (!filter.since || line.time >= *filter.since) &&
         (!filter.until || line.time < *filter.until) && (!filter.refused || entry.result != "ok");
}

Expected<std::vector<Finding>> read(const std::string& folder, const Filter& filter,
                                    const std::function<void(const Found&)>& give) {
  const auto numbers = files_of_log(folder);
  if (!numbers) return tl::unexpected(numbers.error());
  std::vector<Finding> findings;
  if (filter.limit) {
    const auto found = last_matches(folder, *numbers, filter, &findings);
    if (!found) return tl::unexpected(found.error());
    for (const Found& each : *found) give(each);
    return findings;
  }
  for (const std::uint64_t number : *numbers) {
    if (auto done = each_match(folder, number, filter, &findings, give); !done) {
      return tl::unexpected(done.error());
    }
  }
  return findings;
}

Expected<Report> verify(const std::string& folder, const Expectation& wanted) {
  // Before the files: what is written meanwhile is behind this head, never before it.
  auto head = read_head(folder);
  if (!head && head.error().kind != FailureKind::damaged) return tl::unexpected(head.error());
  auto numbers = files_in(folder);
  if (!numbers) return tl::unexpected(numbers.error());
  if (numbers->empty() && head && !*head) {
    return tl::unexpected(
        Failure{FailureKind::not_found, "there is no audit log in the folder " + folder});
  }
  Verifier verifier(std::move(head), wanted);
  for (const std::uint64_t number : *numbers) {
    verifier.begin_file(number);
    auto done = each_line(folder, number, [&verifier](const RawLine& raw) { verifier.line(raw); });
    if (!done) return tl::unexpected(done.error());
  }
  return verifier.finish();
}

}  // namespace millrace::audit
