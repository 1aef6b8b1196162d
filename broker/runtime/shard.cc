#include "runtime/shard.h"

#include "net/dispatcher.h"
#include "net/replies.h"
#include "wire/codec.h"

#include <spdlog/spdlog.h>
#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace millrace::runtime {
namespace {

constexpr std::size_t peers_max = 65'536;
constexpr std::size_t commit_samples = 512;
constexpr std::size_t effects_room_max = 65'536;  // elements
// How many bytes on disk a byte of a message may take before the next check of the disk: in the
// WAL, in the file, with the overhead of both.
constexpr std::uint64_t disk_bytes_a_byte = 3;
const std::string at_watermark =
    "free disk space is below disk_free_bytes_min, so enqueue is refused and nothing was stored: "
    "free some space";

}  // namespace

Shard::Shard(ShardOptions options, std::unique_ptr<storage::Store> store, ShardPort& port)
    : options_(std::move(options)),
      store_(std::move(store)),
      port_(port),
      keys_(options_.keys),
      audit_(options_.audit),
      reconnects_(options_.reconnect_ms) {}
Shard::~Shard() = default;

std::string Shard::start(core::Now now) {
  now_ = started_ = now;
  look_at_wall_clock();
  auto recovered = store_->recover();
  if (!recovered) return recovered.error().message;
  options_.engine.epoch = store_->epoch();
  options_.engine.seed = store_->epoch();
  const std::size_t sessions = recovered->sessions.size();
  engine_ = std::make_unique<core::Engine>(options_.engine, std::move(*recovered), now_);
  refresh_facts();
  open_topics(options_.topics);
  finish_turn();
  if (!failure_.empty()) return failure_;
  spdlog::info(
      "shard {} is started with epoch {}: {} topics, {} worker sessions known from before, no "
      "deliveries for up to {} ms until they reconnect",
      options_.engine.shard, store_->epoch(), engine_->topics(now_).size(), sessions,
      engine_->grace_ms(now_));
  if (!store_->facts().checksums) {
    spdlog::warn(
        "shard {}: the database file was created by an older version and has no page checksums, so "
        "damage may go unnoticed. docs/operations.md says how to add checksums",
        options_.engine.shard);
  }
  tell_hooks_of_tick();
  return {};
}

void Shard::open_topics(const std::vector<core::Topic>& topics) {
  for (const auto& topic : topics) open_topic(topic);
}

void Shard::close() {
  for (const auto& [peer, state] : peers_) {
    send(peer, wire::Verb::closing, 0, wire::encode(wire::Closing{"the broker is shutting down"}));
  }
}

void Shard::open_topic(const core::Topic& topic) {
  const core::Topic* known = engine_->topic(topic.name);
  if (known != nullptr && known->settings.partitions != topic.settings.partitions) {
    spdlog::warn(
        "shard {}: topic {} has {} partitions, not {}: the number of partitions cannot be changed, "
        "so the settings of this topic were not applied",
        options_.engine.shard, topic.name, known->settings.partitions, topic.settings.partitions);
    return;
  }
  engine_->step(core::OpenTopic{0, topic.name, topic.settings, true}, now_, effects_);
}

void Shard::tick(core::Now now, const std::vector<core::SessionId>& ended,
                 const std::vector<core::SessionId>& closed) {
  now_ = now;
  look_at_wall_clock();
  engine_->step(core::Tick{}, now_, effects_);
  for (const auto& session : ended) {
    engine_->step(core::SessionDied{session, "died: its process ended"}, now_, effects_);
  }
  for (const auto& session : closed) reconnects_.closed(session);
  end_who_stays_away();
  again_ = true;
  expire_waiters();
  end_sessions_of_changed_keys();
  const auto more = store_->upkeep(core::lease_tick_ms / 10);
  if (!more) return fail(more.error().message);
  if (!*more) refresh_facts();
  tell_hooks_of_tick();
}

void Shard::end_who_stays_away() {
  const auto gone = reconnects_.tick();
  if (gone.empty()) return;
  for (const auto& stats : engine_->sessions(now_)) {
    if (std::find(gone.begin(), gone.end(), stats.id) == gone.end()) continue;
    spdlog::info("shard {}: worker {} {}; jobs it held, which go to other workers: {}",
                 options_.engine.shard, stats.name, reconnects_.how(), stats.running);
    engine_->step(core::SessionDied{stats.id, reconnects_.how()}, now_, effects_);
  }
}

// Leases, heartbeats and every other deadline of the process go by the monotonic clock. Stored
// times of day cannot.
void Shard::look_at_wall_clock() {
  const std::int64_t jump_ms = wall_.look(now_);
  if (jump_ms == 0) return;
  const bool back = jump_ms < 0;
  spdlog::warn(
      "shard {}: the system clock was set {} by {}.{:03} s: scheduled jobs and retries start that "
      "much {}",
      options_.engine.shard, back ? "back" : "forward", std::abs(jump_ms) / 1'000,
      std::abs(jump_ms) % 1'000, back ? "later" : "sooner");
}

void Shard::begin_turn(core::Now now) {
  now_ = now;
  const auto due = engine_->next_due_ms();
  again_ = due && *due <= now_.wall_ms;
  for (; !loaded_.empty(); loaded_.pop_front()) {
    engine_->step(std::move(loaded_.front()), now_, effects_);
  }
}

void Shard::take(const net::Incoming& message) {
  const access::KeyRef key = message.public_key.empty() ? nullptr : key_of(message);
  if (const auto wrong = wrong_with(message, key)) return refuse_unread(message, *wrong);
  auto known = peers_.find(message.peer);
  // Of a connection that has ended meanwhile: with another key it is another peer.
  if (known != peers_.end() && known->second.public_key != message.public_key) known = peers_.end();
  // A copy: a HELLO may make room in the table.
  const Peer peer = known == peers_.end() ? Peer{} : known->second;
  const core::SessionId* session = known == peers_.end() ? nullptr : &peer.session;
  net::Parsed parsed = net::parse(message, session, now_, key.get());
  const net::Asked asked{message.peer, parsed.verb, parsed.correlation};
  auto act = audit_.begin(message, parsed.verb, key.get());
  if (act && !parsed.refused) {
    if (auto why = audit_.why_not(); !why.empty()) {
      return refuse(asked, {ErrorCode::unavailable, std::move(why), {}});
    }
  }
  if (parsed.refused) {
    if (act) audit_.refused(std::move(*act), parsed.error);
    return refuse(asked, parsed.error);
  }
  if (key && over_quota(asked, parsed, *key, session == nullptr)) return;
  if (parsed.verb == wire::Verb::enqueue && !disk_takes(message.body.size())) {
    return answer(
        asked,
        net::refusal("disk_full", facts_.refusing.empty() ? at_watermark : facts_.refusing, 1'000));
  }
  if (parsed.kind == wire::VerbKind::backup) {
    const auto answered = answer_backup(asked.verb, message.body, options_.backups);
    if (act) audit_.answered(std::move(*act), answered);
    audit_.sync();
    return answer(asked, answered);
  }
  if (parsed.kind == wire::VerbKind::row_question) look_up(asked, message.body, key.get());
  if (parsed.hello) welcome(message, parsed, key);
  if (session != nullptr && peer.worker && parsed.verb != wire::Verb::heartbeat) {
    engine_->step(core::SessionBeat{*session}, now_, effects_);
  }
  if (parsed.command) {
    const core::RequestId request = ++requests_;
    if (net::set_request(*parsed.command, request)) asked_.emplace(request, asked);
    if (act) acts_.emplace(request, std::move(*act));
    engine_->step(std::move(*parsed.command), now_, effects_);
  }
  if (parsed.kind == wire::VerbKind::question) {
    auto answer = answer_question(asked.verb, message.body,
                                  {*engine_, options_.topology, options_.advertised,
                                   options_.engine, facts_, now_, key.get()});
    if (!answer) return refuse(asked, answer.error());
    answers_.emplace_back(asked, std::move(*answer));
  }
}

// The disk space is checked at each tick; between two checks accepted messages fill it.
bool Shard::disk_takes(std::size_t bytes) {
  taken_bytes_ += bytes;
  return facts_.accepting &&
         facts_.disk_free_bytes >= options_.disk_free_bytes_min + taken_bytes_ * disk_bytes_a_byte;
}

void Shard::welcome(const net::Incoming& message, const net::Parsed& parsed, access::KeyRef key) {
  if (peers_.size() >= peers_max) peers_.erase(peers_.begin());
  Peer& peer = peers_[message.peer];
  port_.greeted(message);
  peer.session = parsed.hello->session;
  peer.worker = parsed.hello->role == wire::Role::worker;
  peer.public_key = message.public_key;
  peer.key = std::move(key);
  if (peer.worker) {
    const auto before = routes_.find(peer.session);
    if (before != routes_.end() && before->second.peer != message.peer) {
      peers_.erase(before->second.peer);
    }
    routes_[peer.session] = {message.peer, turn_number_};
    reconnects_.forget(peer.session);
    return port_.worker_came(message, peer.session, parsed.hello->pid);
  }
  answers_.emplace_back(net::Asked{message.peer, wire::Verb::hello, parsed.correlation},
                        net::hello_ok(hello_facts(), {}));
}

net::HelloFacts Shard::hello_facts() const {
  return {options_.version, options_.engine.shard, options_.engine.lease_ms, options_.heartbeat_ms};
}

void Shard::finish_turn() {
  engine_->step(core::Dispatch{}, now_, effects_);
  // The next turn reuses the memory of an earlier turn's effects.
  auto turn = spare_ == nullptr ? std::make_shared<Turn>() : std::move(spare_);
  std::swap(turn->effects, effects_);
  std::swap(turn->answers, answers_);
  turn->number = turn_number_++;
  turn->committed = turn->effects.changes.empty();
  turns_.push_back(turn);
  in_call_ = true;
  turn->committed ? leave() : commit(turn);
  in_call_ = false;
  keep_room(std::move(turn));
}

void Shard::commit(const std::shared_ptr<Turn>& turn) {
  core::ChangeSet& changes = turn->effects.changes;
  const std::size_t jobs = changes.inserts.size() + changes.finishes.size();
  facts_.batch_jobs += jobs;
  const auto begun = std::chrono::steady_clock::now();
  store_->commit(std::move(changes), [this, turn, begun, jobs](auto result) {
    if (!result) {
      fail(result.error().message);
      return told();
    }
    const auto took = std::chrono::steady_clock::now() - begun;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    if (facts_.commit_us.size() < commit_samples) facts_.commit_us.push_back(0);
    facts_.commit_us[facts_.commits++ % facts_.commit_us.size()] = static_cast<std::uint64_t>(us);
    turn->committed = true;
    leave();
    for (const auto& hook : options_.hooks) hook->on_commit(static_cast<std::uint64_t>(us), jobs);
    told();
  });
}

// After an answer of storage: if it came outside a call of the shard, the loop must be woken.
void Shard::told() {
  if (!in_call_) port_.answered_late();
}

// A turn that changed nothing waits as well: its messages may depend on a turn before it, a
// delivery on the commit of its enqueue, the answer to a copy on the commit of the first request.
void Shard::leave() {
  while (failure_.empty() && !turns_.empty() && turns_.front()->committed) {
    const auto turn = std::move(turns_.front());
    turns_.pop_front();
    release(*turn);
    for (const auto& [asked, body] : turn->answers) {
      send(asked.peer, wire::Verb::ok, asked.correlation, body);
    }
    engine_->step(core::TurnLeft{}, now_, effects_);
    run_loads(turn->effects.loads);
  }
}

void Shard::keep_room(std::shared_ptr<Turn>&& turn) {
  // A turn that waits is still in use.
  if (turn.use_count() > 1 || turn->effects.room() > effects_room_max) return;
  turn->effects.clear();
  turn->answers.clear();
  spare_ = std::move(turn);
}

void Shard::answer(const net::Asked& asked, const net::Answer& answered) {
  send(asked.peer, answered.verb, asked.correlation, answered.body);
}

void Shard::release(Turn& turn) {
  record_acts(turn.effects.replies);
  for (const core::Reply& reply : turn.effects.replies) {
    const auto found = asked_.find(reply.request);
    if (found == asked_.end()) continue;
    answer(found->second, net::answer(reply.body, found->second.verb, hello_facts()));
    asked_.erase(found);
  }
  for (core::Delivery& delivery : turn.effects.deliveries) deliver(delivery, turn.number);
  for (const core::Revoke& revoked : turn.effects.revokes) {
    const std::string* peer = route_of(revoked.session, turn.number);
    if (peer != nullptr) send(*peer, wire::Verb::revoke, 0, net::revoke(revoked));
  }
  for (const core::Event& event : turn.effects.events) {
    wake_waiters(event);
    tell_hooks(event);
    const bool ended = event.kind == core::EventKind::session_lost ||
                       event.kind == core::EventKind::session_closed;
    // It may have come back since, in a later turn or in this one.
    if (ended && !engine_->has_session(event.session)) end_route(event.session);
  }
}

// The next message of that peer is answered no_session, and it says HELLO again.
void Shard::end_route(const core::SessionId& session) {
  port_.worker_went(session);
  reconnects_.forget(session);
  const auto route = routes_.find(session);
  if (route == routes_.end()) return;
  peers_.erase(route->second.peer);
  routes_.erase(route);
}

// The connection for a turn's messages to a session; null: they are not sent.
const std::string* Shard::route_of(const core::SessionId& session, std::uint64_t turn) const {
  const auto route = routes_.find(session);
  return route == routes_.end() || route->second.turn > turn ? nullptr : &route->second.peer;
}

void Shard::deliver(core::Delivery& delivery, std::uint64_t turn) {
  const auto route = routes_.find(delivery.session);
  if (route != routes_.end() && route->second.turn > turn) {
    return port_.outdated(delivery);  // its jobs were put back by that HELLO
  }
  if (turn + 1 < turn_number_ && drop_ended(delivery)) return;
  const core::Topic* topic = engine_->topic(delivery.where.topic);
  if (route == routes_.end() ||
      !send(route->second.peer, wire::Verb::deliver, 0, net::deliver(delivery, topic->name))) {
    take_back(delivery);
  }
}

// Jobs that ended in a later turn, for example cancelled ones, are not sent, and their credit is
// granted back. True: the delivery has no jobs left.
bool Shard::drop_ended(core::Delivery& delivery) {
  core::Delivery ended{delivery.session, delivery.where, delivery.run_ms_max, {}};
  std::erase_if(delivery.jobs, [&](core::Delivered& job) {
    const core::JobRef ref{delivery.where.topic, delivery.where.partition, job.seq};
    const auto run = engine_->running(ref);
    if (run && run->token == job.token) return false;
    ended.jobs.push_back(std::move(job));
    return true;
  });
  if (ended.jobs.empty()) return false;
  engine_->step(core::Grant{delivery.session, ended.jobs.size()}, now_, effects_);
  again_ = true;
  port_.outdated(ended);
  return delivery.jobs.empty();
}

// A delivery that was not sent: its jobs become available again without a counted attempt, and the
// worker, which may be alive, has to say HELLO and subscribe again. Else its heartbeats would keep
// jobs that it never received.
void Shard::take_back(const core::Delivery& delivery) {
  core::Settle released{0, delivery.session, {}, 0};
  for (const core::Delivered& job : delivery.jobs) {
    released.outcomes.push_back({job.token, core::OutcomeKind::release, {}, {}, {}});
  }
  engine_->step(core::Drain{0, delivery.session}, now_, effects_);
  engine_->step(std::move(released), now_, effects_);
  const auto route = routes_.find(delivery.session);
  if (route != routes_.end()) peers_.erase(route->second.peer);
  again_ = true;
}

void Shard::tell_hooks(const core::Event& event) const {
  if (options_.hooks.empty()) return;
  const core::Topic* topic = event.ref.topic == 0 ? nullptr : engine_->topic(event.ref.topic);
  const std::string_view name = topic == nullptr ? std::string_view() : topic->name;
  for (const auto& hook : options_.hooks) hook->on_event(event, name);
}

void Shard::tell_hooks_of_tick() const {
  for (const auto& hook : options_.hooks) hook->on_tick(*engine_, facts_, now_);
}

void Shard::run_loads(const std::vector<core::Load>& loads) {
  for (const core::Load& load : loads) {
    store_->load(load, [this](auto loaded) {
      if (!loaded) {
        fail(loaded.error().message);
      } else {
        loaded_.push_back(std::move(*loaded));
        again_ = true;
      }
      told();
    });
  }
}

void Shard::refresh_facts() {
  auto store = store_->facts();
  facts_.version = options_.version;
  if (rows_ != nullptr) facts_.check = rows_->verdict();
  facts_.shard = options_.engine.shard;
  facts_.epoch = store_->epoch();
  facts_.uptime_ms = static_cast<std::uint64_t>(now_.mono_ms - started_.mono_ms);
  facts_.store_gauges = std::move(store.gauges);
  facts_.store_bytes = store.store_bytes;
  facts_.disk_free_bytes = store.disk_free_bytes;
  taken_bytes_ = 0;
  const bool full = store.disk_free_bytes < options_.disk_free_bytes_min;
  const bool accepting = store.gone.empty() && !full;
  if (accepting != facts_.accepting && store.gone.empty()) {
    spdlog::warn("shard {}: {} bytes of disk space are free: enqueue is {}", facts_.shard,
                 store.disk_free_bytes, accepting ? "accepted again" : "refused");
  } else if (accepting != facts_.accepting) {
    spdlog::error(
        "shard {}: {}. Enqueue is refused; stored jobs are still delivered. If the file was "
        "removed, jobs that are left when the broker stops are lost: let it run until all jobs are "
        "finished",
        facts_.shard, store.gone);
  }
  facts_.accepting = accepting;
  facts_.refusing = accepting            ? ""
                    : store.gone.empty() ? at_watermark
                                         : store.gone + ". Enqueue is refused, nothing was stored";
}

void Shard::fail(const std::string& why) {
  if (!failure_.empty()) return;
  failure_ = why;
}

bool Shard::send(const std::string& peer, wire::Verb verb, std::uint64_t correlation,
                 const std::string& body) {
  return port_.send(peer, wire::encode_header(verb, correlation), body);
}

}  // namespace millrace::runtime
