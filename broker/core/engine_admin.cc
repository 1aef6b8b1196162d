// The steps of administration: topics, pausing, cancelling, and the dead-letter queue.
#include "core/engine_impl.h"
#include "core/transitions.h"

#include <algorithm>

namespace millrace::core {

TopicState* Engine::Impl::find_topic(std::string_view name) {
  const auto found = topic_ids_.find(name);
  return found == topic_ids_.end() ? nullptr : topics_[found->second - 1].get();
}

const TopicState* Engine::Impl::find_topic(std::string_view name) const {
  const auto found = topic_ids_.find(name);
  return found == topic_ids_.end() ? nullptr : topics_[found->second - 1].get();
}

TopicState* Engine::Impl::topic_or_new(const std::string& name, Effects& out) {
  if (TopicState* found = find_topic(name)) return found;
  if (!options_.allow_new_topics || topics_.size() >= topics_max) return nullptr;
  return &add_topic(name, options_.new_topic, out);
}

TopicState& Engine::Impl::add_topic(const std::string& name, const TopicSettings& settings,
                                    Effects& out) {
  auto state = std::make_unique<TopicState>();
  state->topic = {static_cast<TopicId>(topics_.size() + 1), name, settings, false};
  state->partitions.resize(settings.partitions);
  topic_ids_.emplace(name, state->topic.id);
  out.changes.topics.push_back(state->topic);
  topics_.push_back(std::move(state));
  return *topics_.back();
}

bool Engine::Impl::serves(std::uint32_t partition) const {
  return options_.map.shard_of(partition) == options_.shard;
}

Partition* Engine::Impl::find_partition(PartitionRef where) const {
  if (where.topic == 0 || where.topic > topics_.size()) return nullptr;
  const auto& partitions = topics_[where.topic - 1]->partitions;
  return where.partition < partitions.size() ? partitions[where.partition].get() : nullptr;
}

// Partitions are made when they are first used.
Partition& Engine::Impl::partition_at(PartitionRef where) const {
  auto& slot = topics_[where.topic - 1]->partitions[where.partition];
  if (slot == nullptr) {
    slot = std::make_unique<Partition>(where, PartitionCounts{.next_seq = first_seq_});
  }
  return *slot;
}

void Engine::Impl::touch(Partition& partition) {
  if (std::exchange(partition.touched, true)) return;
  touched_.push_back(&partition);
}

void Engine::Impl::on(OpenTopic&& c, Now /*now*/, Effects& out) {
  TopicState* found = find_topic(c.name);
  if (found == nullptr) {
    if (topics_.size() >= topics_max) {
      return reply(
          out, c.request,
          refuse(Refusal::overloaded, "the broker has reached its maximum number of topics"));
    }
    add_topic(c.name, c.settings, out);
    return reply(out, c.request, Changed{true});
  }
  if (found->topic.settings.partitions != c.settings.partitions) {
    return reply(out, c.request,
                 refuse(Refusal::conflict,
                        "topic " + c.name + " exists with " +
                            std::to_string(found->topic.settings.partitions) +
                            " partitions, and their number cannot be changed: use another name"));
  }
  if (c.replace && !(found->topic.settings == c.settings)) {
    found->topic.settings = c.settings;
    out.changes.topics.push_back(found->topic);
  }
  reply(out, c.request, Changed{false});
}

void Engine::Impl::on(PauseTopic&& c, Now /*now*/, Effects& out) {
  TopicState* state = find_topic(c.name);
  if (state == nullptr) {
    return reply(out, c.request, refuse(Refusal::unknown_topic, "unknown topic " + c.name));
  }
  const bool changed = state->topic.paused != c.paused;
  if (changed) {
    state->topic.paused = c.paused;
    activity_changed(*state);
    out.changes.topics.push_back(state->topic);
  }
  reply(out, c.request, Changed{changed});
}

void Engine::Impl::on(Cancel&& c, Now now, Effects& out) {
  TopicState* state = find_topic(c.topic);
  const JobRef ref{state == nullptr ? 0 : state->topic.id, c.partition, c.seq};
  Partition* partition = find_partition(ref.where());
  if (partition == nullptr) {
    return reply(out, c.request, refuse(Refusal::not_found, "job not found"));
  }
  if (Lease* run = leases_.find(ref)) {
    out.revokes.push_back({run->session->id, {run->token}, RevokeReason::cancelled});
    Lease lease = end_run(*run, out);
    transit(State::running, Trigger::cancel);
    finish(lease.job, State::cancelled, DeadReason::none, &lease, {}, {}, now, out);
    return reply(out, c.request, Cancelled{});
  }
  if (auto ready = partition->take(c.seq)) {
    ReadyJob taken = ready_taken(*state, std::move(*ready));
    transit(State::available, Trigger::cancel);
    finish(taken.job, State::cancelled, DeadReason::none, nullptr, {}, {}, now, out);
    return reply(out, c.request, Cancelled{});
  }
  if (parked_.size() >= parked_max) {
    return reply(out, c.request,
                 refuse(Refusal::overloaded,
                        "too many requests are waiting for a look-up: try again later", 100));
  }
  ask_job(ParkedCancel{c.request, ref}, out);
}

void Engine::Impl::on(DeadCommand&& c, Now now, Effects& out) {
  const TopicState* state = find_topic(c.topic);
  if (state == nullptr) {
    return reply(out, c.request, refuse(Refusal::unknown_topic, "unknown topic " + c.topic));
  }
  if (finished_work_.size() >= parked_max || c.jobs.size() > dead_batch_max) {
    return reply(
        out, c.request,
        refuse(Refusal::overloaded,
               "too many requests for the dead-letter queue are waiting: try again later", 100));
  }
  finished_work_.push_back({state->topic.id, false, std::move(c)});
  start_finished_work(now, out);
}

void Engine::Impl::on(DeadLoaded&& c, Now now, Effects& out) {
  const FinishedWork work = std::move(finished_work_.front());
  finished_work_.pop_front();
  finished_busy_ = false;
  TopicState& state = topic_at(work.topic);
  for (Job& job : c.jobs) {
    Partition& partition = partition_at(job.ref.where());
    --partition.counts.dead;
    touch(partition);
    out.changes.finished_dropped.push_back(job.row());
    Event event{.kind = work.command.purge ? EventKind::purged : EventKind::requeued};
    event.ref = job.ref;
    out.events.push_back(event);
    if (work.command.purge) continue;
    job.state = transit(State::dead, Trigger::requeue);
    job.attempt = job.deaths = 0;
    job.died_ms = 0;
    ++partition.counts.live;
    partition.note_changed(job.ref.seq);
    // Behind the cursor no page will include the job, and before the cursor a page that was already
    // requested may miss it: the job stays in memory, or is loaded again by a due time of now.
    Lane& lane = partition.lanes[job.priority];
    const bool behind = job.ref.seq <= lane.cursor_seq || !lane.backlog;
    const bool here = behind && window_has_room(job.payload.size());
    job.due_ms = here ? 0 : now.wall_ms;
    out.changes.inserts.push_back(job);
    if (here) {
      lane.cursor_seq = std::max(lane.cursor_seq, job.ref.seq);
      ready_back(state, partition, std::move(job), now.mono_ms);
    } else {
      partition.note_due_row(job);
      due_changed(partition);
    }
    want_loads(partition);
  }
  reply(out, work.command.request, Counted{c.jobs.size(), c.more});
  start_finished_work(now, out);
}

}  // namespace millrace::core
