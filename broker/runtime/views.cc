#include "runtime/views.h"

#include "net/job_messages.h"
#include "wire/codec.h"

#include <optional>

namespace millrace::runtime {
namespace {

bool is_final(core::State state) { return state >= core::State::completed; }

// A view and what its texts point into.
struct Laid {
  std::optional<core::RunningJob> run;
  wire::JobView view;
};

Laid lay(const storage::JobRow& row, const core::Engine& engine, core::Now now) {
  Laid laid;
  const core::Job& job = row.job;
  wire::JobView& v = laid.view;
  v = net::job_view(job, engine.topic(job.ref.topic)->name);
  v.payload_bytes = row.payload_bytes;
  v.reason = to_string(row.reason);
  v.worker = row.worker;
  core::State state = row.state;
  if (is_final(state)) {
    if (row.started_ms != 0) v.started_ms = unsigned_ms(row.started_ms);
    v.finished_ms = unsigned_ms(row.finished_ms);
    if (!row.result.bytes().empty()) v.result = row.result.bytes();
  } else if ((laid.run = engine.running(job.ref))) {
    state = core::State::running;
    v.attempt = laid.run->job.attempt + 1;
    v.started_ms = unsigned_ms(laid.run->started_ms);
    v.worker = laid.run->worker;
    v.note = laid.run->note;
    if (laid.run->percent) v.percent = *laid.run->percent;
  } else if (job.due_ms > now.wall_ms) {
    v.due_ms = unsigned_ms(job.due_ms);
  } else {
    state = core::State::available;
  }
  v.state = to_string(state);
  return laid;
}

}  // namespace

std::string job_body(const storage::JobRow& row, const core::Engine& engine, core::Now now) {
  Laid laid = lay(row, engine, now);
  laid.view.payload = row.job.payload.bytes();
  return wire::encode(laid.view);
}

std::string jobs_body(const std::vector<storage::JobRow>& rows, bool more,
                      const core::Engine& engine, core::Now now) {
  std::vector<Laid> laid;
  laid.reserve(rows.size());
  wire::JobsOk body;
  for (const auto& row : rows) {
    laid.push_back(lay(row, engine, now));
    // The texts of the run may be short and live inside it: take the view at its last place.
    auto& at = laid.back();
    if (at.run) {
      at.view.worker = at.run->worker;
      at.view.note = at.run->note;
    }
    body.jobs.push_back(at.view);
  }
  if (more && !body.jobs.empty()) body.next = body.jobs.back().job;
  return wire::encode(body);
}

std::string explain_body(const storage::JobRow& row, const core::Engine& engine, core::Now now) {
  const core::JobRef& ref = row.job.ref;
  core::Reason reason{row.state, std::string(to_string(row.state)), {}};
  if (row.state == core::State::completed) reason.text = "The job is completed.";
  if (row.state == core::State::cancelled) reason.text = "The job was cancelled.";
  if (row.state == core::State::dead) {
    reason.text = "The job is in the dead-letter queue (" + std::string(to_string(row.reason)) +
                  "): " + row.job.error.str();
  }
  if (!is_final(row.state)) reason = engine.explain(row.job, now);
  return wire::encode(wire::ExplainOk{{engine.topic(ref.topic)->name, ref.partition, ref.seq},
                                      to_string(reason.state),
                                      reason.word,
                                      reason.text});
}

}  // namespace millrace::runtime
