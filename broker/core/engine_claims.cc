// A worker that reconnects claims the deliveries that it still holds. Each claim is kept, refused,
// or adopted. A delivery causes no write of its own, so after a restart the engine may not know a
// short lease. Then the claim is adopted if the session existed in the epoch before and nothing has
// been delivered in this epoch.
#include "core/check.h"
#include "core/engine_impl.h"
#include "core/transitions.h"

namespace millrace::core {

void Engine::Impl::claim(const std::shared_ptr<PendingOpen>& open, const HeldJob& held,
                         Session& session, bool believed, Now now, Effects& out) {
  if (const Lease* lease = leases_.find(held.token)) {
    if (lease->session != &session) open->lost.push_back(held.token);
    return;
  }
  const TopicState* state = find_topic(held.topic);
  Partition* partition =
      state == nullptr ? nullptr : find_partition({state->topic.id, held.partition});
  // A token of this epoch without a lease was ended here. A token of the epoch before is accepted
  // if no newer delivery of that job is possible: an outdated token must not become the current one
  // again. A token of an earlier epoch was adopted meanwhile, or its lease has a row.
  const bool before_restart = (held.token >> epoch_shift) + 1 == options_.epoch;
  if (!believed || !before_restart || partition == nullptr || parked_.size() >= parked_max) {
    open->lost.push_back(held.token);
    return;
  }
  const JobRef ref{state->topic.id, held.partition, held.seq};
  if (Lease* run = leases_.find(ref)) {
    // Two deliveries of one job are claimed: the later one is current.
    if (run->token > held.token) {
      open->lost.push_back(held.token);
      return;
    }
    out.revokes.push_back({run->session->id, {run->token}, RevokeReason::lease_lost});
    Lease lease = end_run(*run, out);
    adopt(std::move(lease.job), held.token, session, now);
    return;
  }
  if (const Job* waiting = partition->ready_job(held.seq)) {
    // Its outcome is in the store, though the answer was lost: it must not be counted again.
    if (waiting->ended_token >= held.token) {
      open->lost.push_back(held.token);
      return;
    }
    ReadyJob taken = ready_taken(topic_at(ref.topic), *partition->take(held.seq));
    adopt(std::move(taken.job), held.token, session, now);
    return;
  }
  ++open->claims;
  ++claims_open_;
  ask_job(ParkedClaim{open, ref, held.token}, out);
}

void Engine::Impl::claim_loaded(ParkedClaim&& parked, std::optional<Job>&& job, Now now,
                                Effects& out) {
  PendingOpen& open = *parked.open;
  Session* session = find_session(open.session);
  Partition& partition = partition_at(parked.ref.where());
  Lease* run = leases_.find(parked.ref);
  // The worker follows the answer to its later HELLO.
  const bool valid = session != nullptr && session->present && session->open == parked.open;
  // Granted meanwhile: the token was claimed twice, for one job or, by a malicious worker, for two.
  // A token has one lease.
  if (const Lease* granted = leases_.find(parked.token)) {
    if (!valid || granted->session != session) open.lost.push_back(parked.token);
    return finish_open(open, out);
  }
  const bool ended = job && job->ended_token >= parked.token;
  if (!valid || !job || ended || (run != nullptr && run->token > parked.token)) {
    open.lost.push_back(parked.token);
  } else if (run != nullptr) {
    out.revokes.push_back({run->session->id, {run->token}, RevokeReason::lease_lost});
    Lease lease = end_run(*run, out);
    adopt(std::move(lease.job), parked.token, *session, now);
  } else if (auto ready = partition.take(parked.ref.seq)) {
    ReadyJob taken = ready_taken(topic_at(parked.ref.topic), std::move(*ready));
    adopt(std::move(taken.job), parked.token, *session, now);
  } else {
    adopt(std::move(*job), parked.token, *session, now);
  }
  finish_open(open, out);
}

// Makes a lease with a token from before the restart. Its payload stays on disk.
Lease& Engine::Impl::adopt(Job&& job, Token token, Session& session, Now now) {
  require((token >> epoch_shift) < options_.epoch, "only tokens of earlier epochs are adopted");
  Partition& partition = partition_at(job.ref.where());
  job.payload = Bytes();
  Lease lease;
  lease.token = token;
  lease.session = &session;
  lease.since_mono_ms = since_mono_ms(job, now);
  lease.started_ms = now.wall_ms;
  lease.started_mono_ms = now.mono_ms;
  partition.enter_running(job);
  lease.job = std::move(job);
  return leases_.add(std::move(lease), session.leases);
}

}  // namespace millrace::core
