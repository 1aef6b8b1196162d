// Enqueue: all jobs of a batch are stored or none, numbered in order of arrival, and once however
// often the batch is sent.
#include "core/engine_impl.h"

namespace millrace::core {
namespace {

std::optional<Refused> misfit(const Enqueue& c, Now now) {
  if (c.jobs.empty()) return refuse(Refusal::invalid, "a batch must have at least one job");
  if (c.producer && c.producer->batch == 0) {
    return refuse(Refusal::invalid, "the batch number must be at least 1");
  }
  if (c.producer && c.producer->answered >= c.producer->batch) {
    return refuse(Refusal::invalid, "answered must be lower than the batch number");
  }
  for (const NewJob& job : c.jobs) {
    if (job.priority >= priorities) return refuse(Refusal::invalid, "priority must be from 0 to 9");
    if (job.due_ms > now.wall_ms + delay_ms_max) {
      return refuse(Refusal::invalid, "a job cannot be scheduled more than ten years ahead");
    }
  }
  return std::nullopt;
}

}  // namespace

void Engine::Impl::on(Enqueue&& c, Now now, Effects& out) {
  if (auto refused = misfit(c, now)) return reply(out, c.request, std::move(*refused));
  if (c.producer) {
    const auto known = producers_.judge(*c.producer);
    switch (known.verdict) {
      case ProducerTable::Verdict::fresh: break;
      case ProducerTable::Verdict::known:
        return reply(out, c.request, Stored{known.answer.first_seq, known.answer.count, true});
      case ProducerTable::Verdict::stale:
        return reply(
            out, c.request,
            refuse(Refusal::stale, "a producer with this id and a newer epoch has started"));
      case ProducerTable::Verdict::too_old:
        return reply(out, c.request,
                     refuse(Refusal::duplicate,
                            "this batch number is too old: its answer is no longer stored"));
    }
  }
  TopicState* state = topic_or_new(c.topic, out);
  if (state == nullptr) {
    return reply(out, c.request,
                 refuse(Refusal::unknown_topic, "unknown topic " + c.topic + ": create it first"));
  }
  if (c.partition >= state->partitions.size() || !serves(c.partition)) {
    return reply(out, c.request,
                 refuse(Refusal::not_owner, "this shard does not serve partition " +
                                                std::to_string(c.partition) + " of " + c.topic +
                                                ": request the topology again"));
  }
  Partition& partition = partition_at({state->topic.id, c.partition});
  const std::uint64_t first_seq = partition.counts.next_seq;
  const auto count = static_cast<std::uint32_t>(c.jobs.size());
  for (NewJob& fresh : c.jobs) {
    Job job;
    job.options() = std::move(fresh.options());
    if (job.attempts_max == 0) job.attempts_max = state->topic.settings.attempts_max;
    job.ref = {state->topic.id, c.partition, partition.counts.next_seq++};
    job.enqueued_ms = now.wall_ms;
    take_in(*state, partition, std::move(job), fresh.due_ms, now, out);
  }
  touch(partition);
  if (c.producer) {
    const BatchAnswer answer{c.producer->batch, partition.where, first_seq, count};
    producers_.remember(*c.producer, answer, now.wall_ms);
  }
  Event event{.kind = EventKind::enqueued};
  event.ref = {state->topic.id, c.partition, first_seq};
  event.count = count;
  out.events.push_back(event);
  reply(out, c.request, Stored{first_seq, count, false});
}

void Engine::Impl::take_in(TopicState& state, Partition& partition, Job&& job, std::int64_t due_ms,
                           Now now, Effects& out) {
  ++partition.counts.live;
  ++partition.counts.enqueued;
  if (due_ms > now.wall_ms) {
    job.state = State::scheduled;
    job.due_ms = due_ms;
    partition.row_state_changed(State::available, State::scheduled);
    partition.note_due_row(job);
    due_changed(partition);
    out.changes.inserts.push_back(std::move(job));
    return;
  }
  Lane& lane = partition.lanes[job.priority];
  const bool here = !lane.backlog && lane.jobs.size() < options_.window.lane_jobs &&
                    window_has_room(job.payload.size());
  if (!here) {
    lane.backlog = true;
    lane.spilled_seq = job.ref.seq;
    want_loads(partition);
    out.changes.inserts.push_back(std::move(job));
    return;
  }
  lane.cursor_seq = job.ref.seq;
  out.changes.inserts.push_back(job);
  ready_back(state, partition, std::move(job), now.mono_ms);
}

}  // namespace millrace::core
