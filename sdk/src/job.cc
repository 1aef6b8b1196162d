// The names of job states.
#include <millrace/job.h>

#include "wire/codec.h"

#include <array>
#include <cstddef>

namespace millrace {
namespace {

constexpr std::array<std::string_view, 8> state_words{
    "scheduled", "blocked", "available", "running", "retryable", "completed", "cancelled", "dead"};

}  // namespace

std::string JobId::str() const { return wire::job_text(topic, partition, seq); }

Result<JobId> JobId::parse(std::string_view text) {
  const auto ref = wire::parse_job(text);
  if (!ref) return tl::unexpected(ref.error());
  return JobId{std::string(ref->topic), ref->partition, ref->seq};
}

std::string_view to_string(State state) { return state_words[static_cast<std::size_t>(state)]; }

std::optional<State> parse_state(std::string_view text) {
  for (std::size_t i = 0; i < state_words.size(); ++i) {
    if (state_words[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

bool is_final(State state) { return state >= State::completed; }

}  // namespace millrace
