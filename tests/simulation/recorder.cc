#include "recorder.h"

#include <cstdio>
#include <utility>

namespace millrace::testing {

void Recorder::digest(std::string_view text) {
  for (const char byte : text) {
    digest_ = (digest_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
}

void Recorder::digest(std::uint64_t number) {
  for (unsigned shift = 0; shift < 64; shift += 8) {
    digest_ = (digest_ ^ (number >> shift & 0xff)) * 0x100000001b3ULL;
  }
}

void Recorder::add(HistoryEvent event) {
  event.t = now_ms_ * 1'000 + static_cast<std::int64_t>(history_.size() % 1'000);
  digest(static_cast<std::uint64_t>(now_ms_));
  digest(to_string(event.kind));
  digest(event.tag);
  digest(event.job);
  digest(event.by);
  digest(event.word);
  digest(event.token + event.attempt);
  if (event.kind == EventKind::issued) issued.push_back({event.job, event.token});
  if (event.kind == EventKind::enqueued) acknowledged.push_back(event.job);
  if (tracing_) {
    std::printf("%7lld  %s\n", static_cast<long long>(now_ms_), write_event(event).c_str());
  }
  history_.push_back(std::move(event));
}

void Recorder::add(EventKind kind, const std::string& word, const std::string& name) {
  HistoryEvent event;
  event.kind = kind;
  event.word = word;
  event.name = name;
  add(std::move(event));
}

void Recorder::note(std::string_view what, std::string_view of, std::uint64_t number) {
  digest(static_cast<std::uint64_t>(now_ms_));
  digest(what);
  digest(of);
  digest(number);
  if (!tracing_) return;
  std::printf("%7lld    %.*s %.*s %llu\n", static_cast<long long>(now_ms_),
              static_cast<int>(what.size()), what.data(), static_cast<int>(of.size()), of.data(),
              static_cast<unsigned long long>(number));
}

}  // namespace millrace::testing
