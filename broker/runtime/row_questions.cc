#include "runtime/row_questions.h"

#include "net/job_messages.h"
#include "wire/codec.h"

#include <optional>
#include <utility>
#include <vector>

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
    if (row.started_ms != 0) v.started_ms = net::unsigned_ms(row.started_ms);
    v.finished_ms = net::unsigned_ms(row.finished_ms);
    if (!row.result.bytes().empty()) v.result = row.result.bytes();
  } else if ((laid.run = engine.running(job.ref))) {
    state = core::State::running;
    v.attempt = laid.run->job.attempt + 1;
    v.started_ms = net::unsigned_ms(laid.run->started_ms);
    v.worker = laid.run->worker;
    v.note = laid.run->note;
    if (laid.run->percent) v.percent = *laid.run->percent;
  } else if (job.due_ms > now.wall_ms) {
    v.due_ms = net::unsigned_ms(job.due_ms);
  } else {
    state = core::State::available;
  }
  v.state = to_string(state);
  return laid;
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

std::optional<core::State> state_of(std::string_view text) {
  for (int s = 0; s <= static_cast<int>(core::State::dead); ++s) {
    const auto state = static_cast<core::State>(s);
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

auto refused(ErrorCode code, std::string message) {
  return tl::unexpected(Error{code, std::move(message), {}});
}

struct Context {
  const core::Engine& engine;
  core::Now now;
  const access::Key* key;
};

// Empty where every topic is visible, those of tomorrow too.
std::optional<std::vector<core::TopicId>> visible_topics(const Context& c) {
  if (c.key == nullptr || access::covers_all(*c.key)) return std::nullopt;
  std::vector<core::TopicId> visible;
  for (const auto& stats : c.engine.topics(c.now)) {
    if (access::covers(*c.key, stats.topic.name)) visible.push_back(stats.topic.id);
  }
  return visible;
}

using JobBody = std::string (*)(const storage::JobRow&, const core::Engine&, core::Now);

// A question about one job, whose row the body of the answer is made of.
Result<RowQuestion> about_job(const wire::JobRef& job, JobBody body, bool with_payload,
                              const Context& c) {
  const core::Topic* topic = c.engine.topic(job.topic);
  if (topic == nullptr) return refused(ErrorCode::not_found, "job not found");
  RowQuestion question;
  question.job = {topic->id, job.partition, job.seq};
  question.read = [ref = question.job, body, with_payload,
                   name = wire::job_text(job.topic, job.partition, job.seq)](
                      storage::Reader& reader) -> storage::Expected<RowsRead> {
    auto row = reader.job(ref, with_payload);
    if (!row) return tl::unexpected(row.error());
    const bool ended = !*row || is_final((*row)->state);
    return RowsRead{[row = std::move(*row), body, name](const core::Engine& engine,
                                                        core::Now now) -> Result<std::string> {
                      if (row) return body(*row, engine, now);
                      return refused(ErrorCode::not_found,
                                     name +
                                         " was not found: a completed job is kept only if its "
                                         "topic has history");
                    },
                    ended};
  };
  return question;
}

Result<RowQuestion> job(const wire::JobName& asked, const Context& c) {
  return about_job(asked.job, job_body, true, c);
}

Result<RowQuestion> explain(const wire::JobName& asked, const Context& c) {
  return about_job(asked.job, explain_body, false, c);
}

Result<RowQuestion> wait(const wire::Wait& asked, const Context& c) {
  auto question = about_job(asked.job, job_body, true, c);
  if (question) question->wait_ms = static_cast<std::int64_t>(asked.timeout_ms);
  return question;
}

Result<RowQuestion> jobs(const wire::Jobs& asked, const Context& c) {
  storage::ListFilter filter;
  filter.rows_max = static_cast<std::size_t>(asked.limit);
  filter.now_wall_ms = c.now.wall_ms;
  filter.state = state_of(asked.state);
  filter.visible = visible_topics(c);
  if (!asked.state.empty() && !filter.state) {
    return refused(ErrorCode::invalid, "unknown state " + std::string(asked.state));
  }
  const core::Topic* topic = c.engine.topic(asked.topic);
  if (topic != nullptr) filter.topic = topic->id;
  const core::Topic* after = asked.after ? c.engine.topic(asked.after->topic) : nullptr;
  if ((!asked.topic.empty() && topic == nullptr) || (asked.after && after == nullptr)) {
    return refused(ErrorCode::unknown_topic, "unknown topic");
  }
  if (asked.after) filter.after = core::JobRef{after->id, asked.after->partition, asked.after->seq};
  RowQuestion question;
  question.read = [filter](storage::Reader& reader) -> storage::Expected<RowsRead> {
    auto rows = reader.list(filter);
    if (!rows) return tl::unexpected(rows.error());
    const bool more = rows->size() >= filter.rows_max;
    return RowsRead{[rows = std::move(*rows), more](const core::Engine& engine,
                                                    core::Now now) -> Result<std::string> {
      return jobs_body(rows, more, engine, now);
    }};
  };
  return question;
}

template <typename Body, Result<RowQuestion> (*read)(const Body&, const Context&)>
Result<RowQuestion> read_body(std::string_view body, const Context& c) {
  return net::read_body<Body>(body, c.key).and_then([&c](const Body& asked) {
    return read(asked, c);
  });
}

struct RowVerb {
  wire::Verb verb;
  Result<RowQuestion> (*read)(std::string_view body, const Context&);
};
constexpr RowVerb row_verbs[] = {
    {wire::Verb::job, read_body<wire::JobName, job>},
    {wire::Verb::jobs, read_body<wire::Jobs, jobs>},
    {wire::Verb::explain, read_body<wire::JobName, explain>},
    {wire::Verb::wait, read_body<wire::Wait, wait>},
};

}  // namespace

Result<RowQuestion> row_question(const net::Asked& asked, std::string_view body,
                                 const core::Engine& engine, core::Now now,
                                 const access::Key* key) {
  for (const RowVerb& row : row_verbs) {
    if (row.verb != asked.verb) continue;
    auto question = row.read(body, {engine, now, key});
    if (question) question->asked = asked;
    return question;
  }
  return refused(ErrorCode::unknown_verb, "the verb is not a query of stored rows");
}

std::string job_body(const storage::JobRow& row, const core::Engine& engine, core::Now now) {
  Laid laid = lay(row, engine, now);
  laid.view.payload = row.job.payload.bytes();
  return wire::encode(laid.view);
}

}  // namespace millrace::runtime
