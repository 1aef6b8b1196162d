// The engine's entry points: they build the state from the rows that storage loaded, and pass each
// command to its step.
#include "core/engine.h"

#include "core/check.h"
#include "core/engine_impl.h"

namespace millrace::core {

Engine::Engine(EngineOptions options, Recovered recovered, Now now)
    : impl_(std::make_unique<Impl>(options, std::move(recovered), now)) {}
Engine::~Engine() = default;

void Engine::step(Command&& command, Now now, Effects& out) {
  const std::size_t replied = out.replies.size();
  std::visit(
      [&](auto&& c) {
        if constexpr (requires { c.change; }) {
          using Answer = typename std::decay_t<decltype(c)>::Answer;
          static_assert(requires(const Answer& given, RequestRow& row) { given.store(row); });
          const auto answer = [](const RequestRow& row) -> ReplyBody { return Answer::from(row); };
          if (!impl_->is_new({c.change, c.kind(), c.request, answer}, now, out)) return;
        }
        impl_->on(std::forward<decltype(c)>(c), now, out);
      },
      std::move(command));
  impl_->note_answers(replied, now, out);
}

Engine::Impl::Impl(EngineOptions options, Recovered recovered, Now now)
    : options_(options),
      random_(options_.seed),
      producers_(std::move(recovered.producers)),
      requests_(recovered.requests, now.mono_ms),
      first_seq_(recovered.first_seq),
      upkeep_mono_ms_(now.mono_ms),
      tick_mono_ms_(now.mono_ms) {
  for (auto& topic : recovered.topics) {
    require(topic.id >= 1 && topic.id <= topics_max, "a topic's number is in its range");
    if (topics_.size() < topic.id) topics_.resize(topic.id);
    topic_ids_.emplace(topic.name, topic.id);
    auto state = std::make_unique<TopicState>();
    state->partitions.resize(topic.settings.partitions);
    state->topic = std::move(topic);
    topics_[state->topic.id - 1] = std::move(state);
  }
  for (const auto& row : recovered.partitions) {
    auto& slot = topics_[row.where.topic - 1]->partitions[row.where.partition];
    slot = std::make_unique<Partition>(row.where, row.counts);
    due_changed(*slot);
    if (row.counts.live > 0) want_loads(*slot);
  }
  for (auto& row : recovered.sessions) {
    Session& session = sessions_[row.id];
    session.id = row.id;
    session.name = std::move(row.name);
    session.epoch = session.epoch_before = row.epoch;
    session.heard_mono_ms = now.mono_ms;
    ++absent_;
  }
  for (auto& [lease, job] : recovered.leases) {
    Session* session = find_session(lease.session);
    require(session != nullptr, "a stored lease belongs to a stored session");
    job.payload = Bytes();
    Lease& adopted = adopt(std::move(job), lease.token, *session, now);
    adopted.started_ms = lease.started_ms;
    leases_.mark_written(adopted);
  }
  grace_until_mono_ms_ = absent_ == 0 ? now.mono_ms : now.mono_ms + options_.grace_ms;
}

const Topic* Engine::topic(std::string_view name) const {
  const TopicState* state = impl_->find_topic(name);
  return state == nullptr ? nullptr : &state->topic;
}

const Topic* Engine::topic(TopicId id) const {
  if (id == 0 || id > impl_->topics_.size() || impl_->topics_[id - 1] == nullptr) return nullptr;
  return &impl_->topics_[id - 1]->topic;
}

std::vector<TopicStats> Engine::topics(Now now) const {
  std::vector<TopicStats> all;
  for (const auto& [name, id] : impl_->topic_ids_) {
    all.push_back(impl_->stats(impl_->topic_at(id), now));
  }
  return all;
}

std::vector<SessionStats> Engine::sessions(Now now) const {
  std::vector<SessionStats> all;
  for (const auto& [id, session] : impl_->sessions_) all.push_back(impl_->stats(session, now));
  return all;
}

bool Engine::has_session(const SessionId& id) const { return impl_->sessions_.contains(id); }
std::optional<std::int64_t> Engine::next_due_ms() const { return impl_->next_due_ms(); }
std::optional<RunningJob> Engine::running(const JobRef& ref) const { return impl_->running(ref); }
Reason Engine::explain(const Job& stored, Now now) const { return impl_->explain(stored, now); }
std::uint64_t Engine::credit_free() const { return impl_->credit_free_; }
std::int64_t Engine::grace_ms(Now now) const { return impl_->grace_ms(now); }
std::size_t Engine::window_jobs() const { return impl_->window_jobs_; }
std::size_t Engine::window_bytes() const { return impl_->window_bytes_; }

}  // namespace millrace::core
