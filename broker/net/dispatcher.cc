#include "net/dispatcher.h"

#include "access/bound_id.h"
#include "net/job_messages.h"
#include "wire/codec.h"
#include "wire/limits.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace millrace::net {
namespace {

struct Context {
  const Incoming& message;
  core::SessionId session{};
  core::Now now;
  const access::Key* key = nullptr;

  // An id that the client chose, as the engine knows it.
  [[nodiscard]] wire::Id own(const wire::Id& id) const {
    return key == nullptr ? id : access::bound_id(key->name, id);
  }
};

void refuse(Parsed& out, ErrorCode code, std::string message) {
  out.refused = true;
  out.error = {code, std::move(message), {}};
}

void refuse_unknown(Parsed& out, std::uint64_t verb) {
  refuse(out, ErrorCode::unknown_verb,
         "verb " + std::to_string(verb) + " is unknown to this broker");
}

// Decodes the body and hands it on, or refuses.
template <typename Body, typename Then>
void with(const Context& c, Parsed& out, Then then) {
  auto body = read_body<Body>(c.message.body, c.key);
  if (!body) return refuse(out, body.error().code, body.error().message);
  then(*body);
}

void hello(const Context& c, Parsed& out) {
  with<wire::Hello>(c, out, [&](const wire::Hello& body) {
    out.hello = body;
    out.hello->session = c.own(body.session);
    if (body.role != wire::Role::worker) return;
    core::SessionOpen command{0, out.hello->session, std::string(body.name), {}};
    for (const auto& [job, token] : body.held) {
      // After a restart a claim can be believed, so it needs the rights of a delivery.
      const bool may = c.key == nullptr || (access::allows(*c.key, wire::Permission::work) &&
                                            access::covers(*c.key, job.topic));
      command.held.push_back({may ? std::string(job.topic) : "", job.partition, job.seq, token});
    }
    out.command = std::move(command);
  });
}

void goodbye(const Context& c, Parsed& out) { out.command = core::SessionClose{0, c.session}; }

void heartbeat(const Context& c, Parsed& out) { out.command = core::SessionBeat{c.session}; }

void enqueue(const Context& c, Parsed& out) {
  with<wire::Enqueue>(c, out, [&](const wire::Enqueue& body) {
    core::Enqueue command{
        0, std::string(body.topic), static_cast<std::uint16_t>(body.partition), {}, {}};
    if (body.producer) {
      command.producer =
          core::ProducerStamp{c.own(*body.producer), body.epoch, body.batch, body.answered};
    }
    command.jobs.reserve(body.jobs.size());
    for (const wire::NewJob& job : body.jobs) command.jobs.push_back(new_job(job, c.now));
    out.command = std::move(command);
  });
}

void subscribe(const Context& c, Parsed& out) {
  with<wire::Subscribe>(c, out, [&](const wire::Subscribe& body) {
    core::Subscribe command{0, c.session, {}, body.credit};
    for (const auto topic : body.topics) command.topics.emplace_back(topic);
    out.command = std::move(command);
  });
}

void credit(const Context& c, Parsed& out) {
  with<wire::Credit>(c, out, [&](const wire::Credit& body) {
    out.command = core::Grant{c.session, body.credit};
  });
}

void settle(const Context& c, Parsed& out) {
  with<wire::Settle>(c, out, [&](const wire::Settle& body) {
    core::Settle command{0, c.session, {}, body.credit};
    command.outcomes.reserve(body.outcomes.size());
    for (const wire::JobOutcome& o : body.outcomes) {
      core::JobOutcome outcome{
          o.token, static_cast<core::OutcomeKind>(o.outcome), o.error, o.result, {}};
      if (o.retry_after_ms) outcome.retry_after_ms = static_cast<std::int64_t>(*o.retry_after_ms);
      command.outcomes.push_back(std::move(outcome));
    }
    out.command = std::move(command);
  });
}

void progress(const Context& c, Parsed& out) {
  with<wire::Progress>(c, out, [&](const wire::Progress& body) {
    core::Progress command{c.session, body.token, {}, std::string(body.note)};
    if (body.percent) command.percent = static_cast<std::uint32_t>(*body.percent);
    out.command = std::move(command);
  });
}

void drain(const Context& c, Parsed& out) { out.command = core::Drain{0, c.session}; }

core::ChangeId change_of(const Context& c, const std::optional<wire::Id>& request) {
  return request ? c.own(*request) : wire::Id{};
}

void topic_create(const Context& c, Parsed& out) {
  with<wire::TopicCreate>(c, out, [&](const wire::TopicCreate& body) {
    core::TopicSettings s;
    const auto set = [](auto& field, const auto& given) {
      if (given) field = static_cast<std::decay_t<decltype(field)>>(*given);
    };
    set(s.partitions, body.partitions);
    set(s.attempts_max, body.attempts_max);
    set(s.backoff_ms_min, body.backoff_ms_min);
    set(s.backoff_ms_max, body.backoff_ms_max);
    set(s.run_ms_max, body.run_ms_max);
    set(s.history, body.history);
    set(s.history_ms, body.history_ms);
    set(s.dead_ms, body.dead_ms);
    set(s.dead_max, body.dead_max);
    if (s.partitions == 0 || s.attempts_max == 0) {
      return refuse(out, ErrorCode::invalid, "partitions and attempts_max are at least 1");
    }
    out.command = core::OpenTopic{0, std::string(body.topic), s, false, change_of(c, body.request)};
  });
}

void pause(const Context& c, Parsed& out) {
  with<wire::TopicName>(c, out, [&](const wire::TopicName& body) {
    out.command = core::PauseTopic{0, std::string(body.topic), out.verb == wire::Verb::pause,
                                   change_of(c, body.request)};
  });
}

void cancel(const Context& c, Parsed& out) {
  with<wire::JobName>(c, out, [&](const wire::JobName& body) {
    out.command = core::Cancel{0, std::string(body.job.topic), body.job.partition, body.job.seq,
                               change_of(c, body.request)};
  });
}

void dead(const Context& c, Parsed& out) {
  with<wire::DeadSelect>(c, out, [&](const wire::DeadSelect& body) {
    core::DeadCommand command;
    command.purge = out.verb == wire::Verb::dead_purge;
    command.topic = body.topic;
    command.change = change_of(c, body.request);
    // No jobs means the oldest, so that which ones must never come to be none by mistake.
    if (body.jobs.empty() && body.limit.value_or(0) == 0) {
      return refuse(out, ErrorCode::invalid,
                    "no dead jobs are selected: list them in jobs, or set limit (1 to 1,024) for "
                    "the oldest");
    }
    command.jobs_max = body.limit.value_or(wire::batch_max);
    for (const wire::JobRef& job : body.jobs) {
      if (job.topic != body.topic) {
        return refuse(out, ErrorCode::invalid,
                      wire::job_text(job.topic, job.partition, job.seq) +
                          " is not a job of topic " + std::string(body.topic) +
                          ": all jobs of a request must belong to one topic");
      }
      command.jobs.emplace_back(job.partition, job.seq);
    }
    out.command = std::move(command);
  });
}

struct Row {
  wire::Verb verb;
  void (*handle)(const Context&, Parsed&);
};
constexpr Row table[] = {
    {wire::Verb::hello, hello},         {wire::Verb::heartbeat, heartbeat},
    {wire::Verb::goodbye, goodbye},     {wire::Verb::enqueue, enqueue},
    {wire::Verb::subscribe, subscribe}, {wire::Verb::credit, credit},
    {wire::Verb::settle, settle},       {wire::Verb::progress, progress},
    {wire::Verb::drain, drain},         {wire::Verb::topic_create, topic_create},
    {wire::Verb::pause, pause},         {wire::Verb::resume, pause},
    {wire::Verb::cancel, cancel},       {wire::Verb::dead_requeue, dead},
    {wire::Verb::dead_purge, dead},
};

}  // namespace

Parsed parse(const Incoming& message, const core::SessionId* session, core::Now now,
             const access::Key* key) {
  Parsed out;
  if (!message.two_parts) {
    refuse(out, ErrorCode::invalid, "a message must have two parts: a header and a body");
    return out;
  }
  const auto header = wire::decode_header(message.header);
  if (!header) {
    refuse(out, header.error().code, header.error().message);
    return out;
  }
  out.correlation = header->correlation;
  if (header->version != wire::protocol_version) {
    refuse(out, ErrorCode::unsupported_version, "this broker supports only protocol version 1");
    return out;
  }
  const auto kind = wire::verb_kind(header->verb);
  if (!kind || *kind == wire::VerbKind::reply) {
    refuse_unknown(out, header->verb);
    return out;
  }
  out.verb = static_cast<wire::Verb>(header->verb);
  out.kind = *kind;
  const auto permission = wire::verb_permission(out.verb);
  if (key != nullptr && !access::allows(*key, permission)) {
    refuse(out, ErrorCode::forbidden, access::lacks_permission(*key, out.verb, permission));
    return out;
  }
  if (out.verb != wire::Verb::hello && session == nullptr) {
    refuse(out, ErrorCode::no_session, "send HELLO first");
    return out;
  }
  const auto* const row = std::find_if(std::begin(table), std::end(table),
                                       [&out](const Row& r) { return r.verb == out.verb; });
  if (row != std::end(table)) {
    row->handle({message, session == nullptr ? core::SessionId{} : *session, now, key}, out);
  } else if (out.kind == wire::VerbKind::command) {
    refuse_unknown(out, header->verb);
  }
  return out;
}

bool set_request(core::Command& command, core::RequestId request) {
  return std::visit(
      [request](auto& c) {
        if constexpr (requires { c.request; }) {
          c.request = request;
          return true;
        } else {
          return false;
        }
      },
      command);
}

}  // namespace millrace::net
