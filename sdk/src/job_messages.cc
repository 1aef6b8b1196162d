// A job in the messages of the protocol and in the SDK's own types.
#include "job_messages.h"

#include "options.h"
#include "times.h"
#include "wire/codec.h"
#include "wire/limits.h"

#include <algorithm>

namespace millrace {

std::optional<Error> misfit(const Job& job) {
  if (!wire::valid_topic(job.topic)) {
    return invalid(
        "a topic name must consist of 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a "
        "letter or digit");
  }
  if (job.payload.size() > wire::payload_bytes_max) {
    return Error{ErrorCode::too_large,
                 "a payload must not be larger than 1 MiB: store the data elsewhere and send "
                 "a reference",
                 {}};
  }
  if (job.key.size() > wire::key_bytes_max)
    return invalid("a key must not be longer than 128 bytes");
  if (auto headers = wire::encode_headers(job.headers); !headers) return headers.error();
  if (job.priority && (*job.priority < 0 || *job.priority > wire::priority_max)) {
    return invalid("priority must be from 0 (first) to 9");
  }
  if (job.max_attempts && (*job.max_attempts < 1 || static_cast<std::uint64_t>(*job.max_attempts) >
                                                        wire::attempts_max_max)) {
    return invalid("max_attempts must be from 1 to 1000");
  }
  if (job.delay.count() < 0) return invalid("delay must not be negative");
  if (job.delay.count() > 0 && job.run_at) {
    return invalid("delay and run_at cannot be used together: set one of them");
  }
  if (job.run_at && job.run_at->time_since_epoch().count() < 0) {
    return invalid("run_at must not be before 1970");
  }
  return std::nullopt;
}

Result<void> check(const Job& job) {
  if (auto wrong = misfit(job)) return tl::unexpected(std::move(*wrong));
  return {};
}

wire::NewJob message_of(const Job& job, std::deque<std::string>* texts) {
  wire::NewJob to;
  to.payload = job.payload;
  to.key = job.key;
  if (!job.headers.empty()) {
    to.headers = texts->emplace_back(wire::encode_headers(job.headers).value_or(""));
  }
  if (job.priority) to.priority = static_cast<std::uint64_t>(*job.priority);
  if (job.delay.count() > 0) to.delay_ms = static_cast<std::uint64_t>(job.delay.count());
  if (job.run_at) {
    using std::chrono::milliseconds;
    const auto at = std::chrono::duration_cast<milliseconds>(job.run_at->time_since_epoch());
    to.run_at_ms = static_cast<std::uint64_t>(std::max<milliseconds::rep>(at.count(), 0));
  }
  if (job.max_attempts) to.attempts_max = static_cast<std::uint64_t>(*job.max_attempts);
  return to;
}

void read_delivered(const wire::Deliver& message, const wire::DeliveredJob& job, DeliveredJob* to) {
  to->id.topic = message.topic;
  to->id.partition = static_cast<std::uint16_t>(message.partition);
  to->id.seq = job.seq;
  to->payload = job.payload;
  to->key = job.key;
  to->headers = wire::decode_headers(job.headers);
  to->attempt = static_cast<int>(job.attempt);
  to->max_attempts = static_cast<int>(job.attempts_max);
  to->run_time_limit = span_of(job.run_ms_max);
  to->enqueued_at = time_of(job.enqueued_ms);
}

const JobId& JobContext::id() const { return job().id; }
std::string_view JobContext::payload() const { return job().payload; }
std::string_view JobContext::key() const { return job().key; }
const std::map<std::string, std::string>& JobContext::headers() const { return job().headers; }
int JobContext::attempt() const { return job().attempt; }
int JobContext::max_attempts() const { return job().max_attempts; }
std::chrono::system_clock::time_point JobContext::enqueued_at() const { return job().enqueued_at; }
std::chrono::milliseconds JobContext::run_time_limit() const { return job().run_time_limit; }

JobView view_of_job(const wire::JobView& message) {
  JobView view;
  view.id = {std::string(message.job.topic), message.job.partition, message.job.seq};
  view.state = parse_state(message.state).value_or(State::available);
  view.priority = static_cast<int>(message.priority);
  view.attempt = static_cast<int>(message.attempt);
  view.max_attempts = static_cast<int>(message.attempts_max);
  view.deaths = static_cast<int>(message.deaths);
  view.key = message.key;
  view.enqueued_at = time_of(message.enqueued_ms);
  view.due_at = time_of(message.due_ms);
  view.started_at = time_of(message.started_ms);
  view.finished_at = time_of(message.finished_ms);
  view.worker = message.worker;
  if (message.percent) view.percent = static_cast<int>(*message.percent);
  view.note = message.note;
  view.error = message.error;
  view.dead_reason = message.reason;
  if (message.result) view.result = *message.result;
  view.headers = wire::decode_headers(message.headers);
  if (message.payload) view.payload = std::string(*message.payload);
  view.payload_bytes = message.payload_bytes;
  return view;
}

}  // namespace millrace
