// Questions and administration: a call is a message to one shard or to each, and their answers put
// together. A call waits on its own thread; the loop's thread sends, receives and resends.
#include <millrace/client.h>

#include "client_calls.h"
#include "client_views.h"
#include "job_messages.h"
#include "payload_encryption.h"
#include "wire/codec.h"

#include <algorithm>
#include <map>

namespace millrace {
namespace {

using std::chrono::milliseconds;

wire::JobRef ref_of(const JobId& id) { return {id.topic, id.partition, id.seq}; }

template <typename Wire, typename View, typename Fn>
Result<View> decoded(const Result<std::vector<std::string>>& bodies, Fn view) {
  if (!bodies) return tl::unexpected(bodies.error());
  const auto body = wire::decode<Wire>(bodies->front());
  if (!body) return tl::unexpected(body.error());
  return view(*body);
}

Result<bool> any_flag(const Result<std::vector<std::string>>& bodies) {
  if (!bodies) return tl::unexpected(bodies.error());
  bool any = false;
  for (const auto& body : *bodies) {
    const auto flag = wire::decode<wire::Flag>(body);
    if (!flag) return tl::unexpected(flag.error());
    any = any || flag->value;
  }
  return any;
}

std::optional<std::uint64_t> count(const std::optional<int>& value) {
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(std::max(*value, 0));
}
std::optional<std::uint64_t> count(const std::optional<milliseconds>& value) {
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(std::max<milliseconds::rep>(value->count(), 0));
}

// Empty when it says which dead jobs in one way.
std::string wrong_with(const DeadSelection& which) {
  const int ways = (which.ids.empty() ? 0 : 1) + (which.limit == 0 ? 0 : 1) + (which.all ? 1 : 0);
  if (ways == 0) return "no dead jobs are selected: give ids, or a topic with a limit or all";
  if (ways > 1) return "ids, limit and all exclude each other: give one of them";
  for (const JobId& id : which.ids) {
    if (!which.topic.empty() && id.topic != which.topic) {
      return id.str() + " is not a job of topic " + which.topic;
    }
  }
  if (which.ids.empty() && !wire::valid_topic(which.topic)) {
    return which.topic.empty() ? "limit and all apply to one topic: give its name"
                               : "'" + which.topic + "' is not a topic name";
  }
  return {};
}

}  // namespace

class Client::Impl {
 public:
  explicit Impl(ClientOptions options)
      : options_(std::move(options)),
        calls_(connection_of(options_.connection, options_.shared_connection)) {
    options_.timeout = std::min(options_.timeout, span_max);  // a WAIT adds to it
  }

  [[nodiscard]] bool inherited() const { return calls_.inherited(); }
  [[nodiscard]] Answers every(wire::Verb verb, const std::string& body, Effect effect = {}) {
    Request request{.target = Target::every, .verb = verb, .body = body, .effect = effect};
    return calls_.ask(std::move(request), options_.timeout);
  }
  [[nodiscard]] Answers owner(const JobId& id, wire::Verb verb, const std::string& body,
                              Effect effect = {}, milliseconds extra = {}) {
    if (!wire::valid_topic(id.topic)) {
      return tl::unexpected(
          Error{ErrorCode::invalid, "'" + id.topic + "' is not a topic name", {}});
    }
    Request request{.target = Target::owner, .verb = verb, .body = body, .effect = effect};
    request.topic = id.topic;
    request.partition = id.partition;
    return calls_.ask(std::move(request), options_.timeout + extra);
  }
  [[nodiscard]] Answers one(std::size_t shard, wire::Verb verb, const std::string& body,
                            Effect effect = {}) {
    Request request{.target = Target::one, .verb = verb, .body = body, .effect = effect};
    request.shard = shard;
    return calls_.ask(std::move(request), options_.timeout);
  }
  [[nodiscard]] Result<std::size_t> shards() { return calls_.shards(options_.timeout); }
  [[nodiscard]] Result<bool> flag(wire::Verb verb, const std::string& topic) {
    const wire::TopicName body{.topic = topic, .request = random_id()};
    return any_flag(every(verb, wire::encode(body), Effect::changes));
  }
  [[nodiscard]] JobView view_of(const wire::JobView& message) const {
    JobView view = view_of_job(message);
    decrypt(options_.payload_keys, &view);
    return view;
  }
  [[nodiscard]] Result<JobView> job_in(const Answers& bodies) const {
    return decoded<wire::JobView, JobView>(
        bodies, [this](const wire::JobView& message) { return view_of(message); });
  }
  [[nodiscard]] Result<std::uint64_t> dead(wire::Verb verb, const DeadSelection& which);
  [[nodiscard]] Result<JobPage> jobs_of_topic(const std::string& topic, const JobFilter& filter,
                                              std::size_t limit);

 private:
  [[nodiscard]] Result<std::uint64_t> dead_named(wire::Verb verb, const DeadSelection& which);

  ClientOptions options_;
  ClientCalls calls_;
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
// In a child of fork(): leaked on purpose, for all that it would close is the parent's too.
Client::~Client() {
  if (!impl_->inherited()) return;
  [[maybe_unused]] const Impl* const parents = impl_.release();
}

Result<std::vector<TopicView>> Client::topics(const std::optional<std::string>& only) {
  const std::string name = only.value_or("");
  const auto bodies =
      impl_->every(wire::Verb::topics, wire::encode(wire::TopicName{.topic = name}));
  if (!bodies) return tl::unexpected(bodies.error());
  std::map<std::string, TopicView> sums;
  for (const auto& body : *bodies) {
    const auto told = wire::decode<wire::TopicsOk>(body);
    if (!told) return tl::unexpected(told.error());
    for (const auto& topic : told->topics) add_topic(sums[std::string(topic.topic)], topic);
  }
  std::vector<TopicView> views;
  views.reserve(sums.size());
  for (auto& [topic, view] : sums) views.push_back(std::move(view));
  return views;
}

Result<bool> Client::create_topic(const std::string& topic, const TopicSettings& settings) {
  wire::TopicCreate body;
  body.topic = topic;
  body.partitions = count(settings.partitions);
  body.attempts_max = count(settings.max_attempts);
  body.backoff_ms_min = count(settings.backoff_min);
  body.backoff_ms_max = count(settings.backoff_max);
  body.run_ms_max = count(settings.run_max);
  body.history = settings.history;
  body.history_ms = count(settings.history_kept);
  body.dead_ms = count(settings.dead_kept);
  body.dead_max = settings.dead_max;
  body.request = random_id();
  return any_flag(impl_->every(wire::Verb::topic_create, wire::encode(body), Effect::changes));
}

Result<bool> Client::pause(const std::string& topic) {
  // In every shard, so that one that meets the topic later does not deliver.
  const auto known = topics(topic);
  if (known && !known->empty()) {
    auto made = create_topic(topic, {.partitions = known->front().partitions});
    if (!made) return made;
  }
  return impl_->flag(wire::Verb::pause, topic);
}
Result<bool> Client::resume(const std::string& topic) {
  return impl_->flag(wire::Verb::resume, topic);
}

Result<JobView> Client::job(const JobId& id) {
  const auto bodies =
      impl_->owner(id, wire::Verb::job, wire::encode(wire::JobName{.job = ref_of(id)}));
  return impl_->job_in(bodies);
}

Result<JobPage> Client::Impl::jobs_of_topic(const std::string& topic, const JobFilter& filter,
                                            std::size_t limit) {
  wire::Jobs ask;
  ask.topic = topic;
  if (filter.state) ask.state = to_string(*filter.state);
  ask.limit = limit;
  if (filter.after && filter.after->topic == topic) ask.after = ref_of(*filter.after);
  const auto bodies = every(wire::Verb::jobs, wire::encode(ask));
  if (!bodies) return tl::unexpected(bodies.error());
  JobPage page;
  bool more = false;
  for (const auto& body : *bodies) {
    const auto told = wire::decode<wire::JobsOk>(body);
    if (!told) return tl::unexpected(told.error());
    for (const auto& job : told->jobs) page.jobs.push_back(view_of(job));
    more = more || told->next.has_value();
  }
  std::sort(page.jobs.begin(), page.jobs.end(), [](const JobView& a, const JobView& b) {
    return std::tie(a.id.partition, a.id.seq) < std::tie(b.id.partition, b.id.seq);
  });
  if (page.jobs.size() > limit) {
    page.jobs.resize(limit);
    more = true;
  }
  if (more && !page.jobs.empty()) page.next = page.jobs.back().id;
  return page;
}

// Over all topics in the order of their names, for the shards may number topics differently.
Result<JobPage> Client::jobs(const JobFilter& filter) {
  const std::size_t limit = std::clamp<std::size_t>(filter.limit, 1, wire::listed_max);
  if (filter.topic) return impl_->jobs_of_topic(*filter.topic, filter, limit);
  const auto all = topics();
  if (!all) return tl::unexpected(all.error());
  JobPage page;
  for (const TopicView& topic : *all) {
    if (filter.after && topic.topic < filter.after->topic) continue;
    if (page.jobs.size() == limit) {
      page.next = page.jobs.back().id;
      break;
    }
    auto part = impl_->jobs_of_topic(topic.topic, filter, limit - page.jobs.size());
    if (!part) return part;
    page.jobs.insert(page.jobs.end(), std::make_move_iterator(part->jobs.begin()),
                     std::make_move_iterator(part->jobs.end()));
    page.next = part->next;
    if (page.next) break;
  }
  return page;
}

Result<Explanation> Client::explain(const JobId& id) {
  const auto body = wire::encode(wire::JobName{.job = ref_of(id)});
  return decoded<wire::ExplainOk, Explanation>(
      impl_->owner(id, wire::Verb::explain, body), [&id](const wire::ExplainOk& told) {
        return Explanation{id, parse_state(told.state).value_or(State::available),
                           std::string(told.reason), std::string(told.text)};
      });
}

Result<State> Client::cancel(const JobId& id) {
  const auto body = wire::encode(wire::JobName{.job = ref_of(id), .request = random_id()});
  return decoded<wire::CancelOk, State>(impl_->owner(id, wire::Verb::cancel, body, Effect::changes),
                                        [](const wire::CancelOk& told) {
                                          return parse_state(told.state).value_or(State::cancelled);
                                        });
}

Result<JobView> Client::wait(const JobId& id, milliseconds timeout) {
  const auto until = after(timeout);
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    const milliseconds piece = std::clamp(left, milliseconds(0), milliseconds(wire::wait_ms_max));
    const auto body =
        wire::encode(wire::Wait{ref_of(id), static_cast<std::uint64_t>(piece.count())});
    auto view = impl_->job_in(impl_->owner(id, wire::Verb::wait, body, {}, piece));
    if (!view || is_final(view->state) || left <= piece) return view;
  }
}

Result<std::uint64_t> Client::Impl::dead_named(wire::Verb verb, const DeadSelection& which) {
  std::uint64_t total = 0;
  for (const JobId& id : which.ids) {
    wire::DeadSelect select;
    select.topic = id.topic;
    select.jobs.push_back(ref_of(id));
    select.request = random_id();
    auto counted = decoded<wire::CountOk, std::uint64_t>(
        owner(id, verb, wire::encode(select), Effect::changes),
        [](const wire::CountOk& ok) { return ok.count; });
    if (!counted) return counted;
    total += *counted;
  }
  return total;
}

Result<std::uint64_t> Client::Impl::dead(wire::Verb verb, const DeadSelection& which) {
  if (const std::string wrong = wrong_with(which); !wrong.empty()) {
    return tl::unexpected(Error{ErrorCode::invalid, wrong, {}});
  }
  if (!which.ids.empty()) return dead_named(verb, which);
  const auto known = shards();
  if (!known) return tl::unexpected(known.error());
  std::uint64_t total = 0;
  for (std::size_t shard = 0; shard < *known; ++shard) {
    for (bool more = true; more;) {
      std::uint64_t limit = wire::batch_max;
      if (which.limit != 0) limit = std::min(limit, which.limit - total);
      if (limit == 0) return total;
      wire::DeadSelect select;
      select.topic = which.topic;
      select.limit = limit;
      select.request = random_id();
      const auto told = decoded<wire::CountOk, wire::CountOk>(
          one(shard, verb, wire::encode(select), Effect::changes),
          [](const wire::CountOk& ok) { return ok; });
      if (!told) return tl::unexpected(told.error());
      total += told->count;
      more = told->more && told->count > 0;
    }
  }
  return total;
}

Result<std::uint64_t> Client::requeue_dead(const DeadSelection& which) {
  return impl_->dead(wire::Verb::dead_requeue, which);
}
Result<std::uint64_t> Client::purge_dead(const DeadSelection& which) {
  return impl_->dead(wire::Verb::dead_purge, which);
}

Result<std::vector<ShardView>> Client::status() {
  const auto bodies = impl_->every(wire::Verb::status, wire::encode(wire::Empty{}));
  if (!bodies) return tl::unexpected(bodies.error());
  std::vector<ShardView> views;
  for (const auto& body : *bodies) {
    const auto told = wire::decode<wire::ShardView>(body);
    if (!told) return tl::unexpected(told.error());
    views.push_back(view_of_shard(*told));
  }
  return views;
}

Result<std::vector<SessionView>> Client::sessions() {
  const auto bodies = impl_->every(wire::Verb::sessions, wire::encode(wire::Empty{}));
  if (!bodies) return tl::unexpected(bodies.error());
  std::map<std::string, SessionView> sums;  // one session is known to every shard
  for (const auto& body : *bodies) {
    const auto told = wire::decode<wire::SessionsOk>(body);
    if (!told) return tl::unexpected(told.error());
    for (const auto& session : told->sessions) add_session(sums[hex(session.session)], session);
  }
  std::vector<SessionView> views;
  views.reserve(sums.size());
  for (auto& [id, view] : sums) views.push_back(std::move(view));
  return views;
}

Result<BackupView> Client::backup(const std::string& name, std::uint64_t keep) {
  wire::Backup body;
  body.name = name;
  body.keep = keep;
  body.request = random_id();
  return decoded<wire::BackupView, BackupView>(
      impl_->one(0, wire::Verb::backup, wire::encode(body), Effect::changes), view_of_backup);
}

Result<BackupView> Client::backup_status() {
  return decoded<wire::BackupView, BackupView>(
      impl_->one(0, wire::Verb::backup_status, wire::encode(wire::Empty{})), view_of_backup);
}

}  // namespace millrace
