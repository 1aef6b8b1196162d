#include "net/job_messages.h"

#include "wire/limits.h"

namespace millrace::net {
namespace {

std::int64_t due_ms(const wire::NewJob& job, core::Now now) {
  if (job.run_at_ms) return static_cast<std::int64_t>(*job.run_at_ms);
  return job.delay_ms && *job.delay_ms > 0 ? now.wall_ms + static_cast<std::int64_t>(*job.delay_ms)
                                           : 0;
}

}  // namespace

core::NewJob new_job(const wire::NewJob& sent, core::Now now) {
  core::NewJob job;
  job.payload = sent.payload;
  job.key = sent.key;
  job.headers = sent.headers;
  job.priority = static_cast<std::uint8_t>(sent.priority.value_or(wire::priority_default));
  job.attempts_max = static_cast<std::uint32_t>(sent.attempts_max.value_or(0));
  job.due_ms = due_ms(sent, now);
  return job;
}

wire::DeliveredJob delivered_job(const core::Delivered& job, std::int64_t run_ms_max) {
  wire::DeliveredJob to;
  to.seq = job.seq;
  to.token = job.token;
  to.attempt = job.attempt;
  to.attempts_max = job.attempts_max;
  to.payload = job.payload.bytes();
  to.key = job.key;
  to.headers = job.headers;
  to.enqueued_ms = static_cast<std::uint64_t>(job.enqueued_ms);
  to.run_ms_max = static_cast<std::uint64_t>(run_ms_max);
  return to;
}

wire::JobView job_view(const core::Job& job, std::string_view topic) {
  wire::JobView view;
  view.job = {topic, job.ref.partition, job.ref.seq};
  view.priority = job.priority;
  view.attempt = job.attempt;
  view.attempts_max = job.attempts_max;
  view.deaths = job.deaths;
  view.enqueued_ms = unsigned_ms(job.enqueued_ms);
  view.key = job.key;
  view.headers = job.headers;
  view.error = job.error;
  return view;
}

}  // namespace millrace::net
