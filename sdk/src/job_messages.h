// A job in the messages of the protocol and in the SDK's own types: what producers send, workers
// get and clients are shown, each made here alone. Threads: pure functions.
#pragma once

#include "wire/headers.h"
#include "wire/messages.h"

#include <millrace/client.h>
#include <millrace/job.h>

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace millrace {

// What is wrong with a job; nothing: it can be sent.
[[nodiscard]] std::optional<Error> misfit(const Job& job);

// The texts of the message point into the job and into *texts, whose elements stay where they are.
[[nodiscard]] wire::NewJob message_of(const Job& job, std::deque<std::string>* texts);

// What a handler sees of its job (JobContext).
struct DeliveredJob {
  JobId id;
  std::string payload, key;
  wire::Headers headers;
  int attempt = 1, max_attempts = 1;
  std::chrono::milliseconds run_time_limit{0};
  std::chrono::system_clock::time_point enqueued_at;
};
// Into a used object, so that its texts keep their room.
void read_delivered(const wire::Deliver& message, const wire::DeliveredJob& job, DeliveredJob* to);

[[nodiscard]] JobView view_of_job(const wire::JobView& message);

}  // namespace millrace
