#include "machine.h"

#include "rows.h"

#include "storage/sqlite_store.h"
#include "wire/codec.h"

#include <unistd.h>
#include <algorithm>
#include <cstdlib>

namespace millrace::testing {
namespace {

constexpr const char* path = "/shard-0.db";
constexpr std::uint64_t disk_free_bytes_min = 16 << 10;
constexpr std::uint64_t starts_max = 200;
constexpr std::int64_t forever_ms = 400LL * 366 * 24 * hour_ms;  // rows are kept over any jump

runtime::ShardOptions shard_options(const Plan& plan) {
  runtime::ShardOptions options;
  options.engine.lease_ms = plan.lease_ms;
  options.engine.grace_ms = plan.grace_ms;
  options.engine.deaths_apart_ms = plan.lease_ms;
  options.engine.death_wait_ms_min = plan.backoff_ms;
  if (plan.small_window) options.engine.window = {.jobs = 4, .lane_jobs = 3, .page_jobs = 2};
  options.topology = {{"sim"}};
  options.heartbeat_ms = plan.lease_ms / 3;
  options.reconnect_ms = plan.lease_ms / 2;
  options.disk_free_bytes_min = disk_free_bytes_min;
  core::Topic topic;
  topic.name = "t";
  topic.settings.partitions = plan.partitions;
  topic.settings.attempts_max = plan.attempts_max;
  topic.settings.backoff_ms_min = plan.backoff_ms;
  topic.settings.backoff_ms_max = 4 * plan.backoff_ms;
  topic.settings.history = plan.history;
  topic.settings.history_ms = topic.settings.dead_ms = forever_ms;
  options.topics = {topic};
  return options;
}

// A disk on which a broker has made its file and ended. To make one costs as much as all the rest
// of a small world, so only one world in new_file_every does.
constexpr std::uint64_t new_file_every = 8;
const SimDisk& used_disk() {
  static SimDisk disk("sim-used-" + std::to_string(::getpid()), 1);
  if (disk.names().empty()) {
    auto store = storage::open_sqlite({.path = path, .files = &disk});
    if (!store) std::abort();
  }
  return disk;
}

}  // namespace

Machine::Machine(Surroundings& around)
    : around_(around),
      disk_("sim-" + std::to_string(::getpid()), around.plan.seed),
      random_(around.plan.seed * 7 + 3) {
  if (around.plan.seed % new_file_every != 0) disk_.copy_files(used_disk());
}
Machine::~Machine() = default;

core::Now Machine::now() const {
  return {around_.recorder.now_ms() - booted_ms_ + 1'000, around_.wall_ms};
}

void Machine::start() {
  around_.recorder.add(EventKind::start, "broker");
  if (start_operations_) disk_.cut_power_in(*start_operations_);
  start_operations_.reset();
  dead_ = false;
  std::string wrong;
  auto store = storage::open_sqlite({.path = path,
                                     .wal_bytes_max = around_.plan.wal_bytes_max,
                                     .wal_bytes_quiet = around_.plan.wal_bytes_max / 4,
                                     .pack_jobs_min = 2,  // its batches are small
                                     .files = &disk_});
  if (store) {
    std::unique_ptr<storage::Store> opened = std::move(*store);
    if (around_.plan.late_store) {
      auto late = std::make_unique<LateStore>(std::move(opened));
      late_ = late.get();
      opened = std::move(late);
    }
    shard_ =
        std::make_unique<runtime::Shard>(shard_options(around_.plan), std::move(opened), *this);
    rows_ = std::make_unique<RowAnswers>(shard_->store());
    shard_->attach(*rows_);
    wrong = shard_->start(now());
  } else {
    wrong = store.error().message;
  }
  ticked_ms_ = around_.recorder.now_ms();
  if (wrong.empty() && !disk_.off()) {
    failed_starts_ = 0;
    return;
  }
  if (++failed_starts_ > starts_max)
    around_.recorder.violation = "the broker does not start: " + wrong;
  die(power_goes_, wrong.empty() ? "in its start" : wrong);
}

void Machine::step() {
  const std::int64_t now_ms = around_.recorder.now_ms();
  if (!alive() && now_ms >= starts_ms_) start();
  if (!alive() || now_ms < paused_until_ms_) return;
  if (late_ != nullptr) storage_answers();
  if (!alive()) return;
  if (now_ms - ticked_ms_ >= core::lease_tick_ms) {
    ticked_ms_ = now_ms;
    const auto ended = std::exchange(deaths_, {});
    shard_->tick(now(), ended, closed());
    after_call();
  }
  if (alive()) turn();
}

// A few things that storage does, in any order that its contract leaves open. Once in a while it
// says nothing for long; then it goes on, or its connection is lost with what was under way, of
// which a part may be on disk.
void Machine::storage_answers() {
  const std::int64_t now_ms = around_.recorder.now_ms();
  if (now_ms < silent_until_ms_) return;
  if (std::exchange(connection_breaks_, false)) {
    late_->lose_connection("the connection to the store is lost");
    return after_call();
  }
  for (std::uint64_t left = random_() % 4; left > 0; --left) {
    switch (random_() % 4) {
      case 0: late_->write_commit(); break;
      case 1: late_->read_load(); break;
      case 2: late_->answer_commit(); break;
      default: late_->answer_load(); break;
    }
    after_call();
    if (!alive()) return;
  }
  if (around_.faults_over || random_() % 300 != 0) return;
  silent_until_ms_ = now_ms + static_cast<std::int64_t>(random_() % 3'000);
  connection_breaks_ = random_() % 2 == 0;
  around_.recorder.note("storage is silent", connection_breaks_ ? "and breaks" : "");
}

// To the end of what is under way.
void Machine::storage_catches_up() {
  silent_until_ms_ = 0;
  connection_breaks_ = false;
  for (int round = 0; round < 1'000 && alive() && late_ != nullptr; ++round) {
    late_->answer_all();
    after_call();
    if (!alive() || !shard_->wants_turn()) return;
    turn();
  }
}

void Machine::turn() {
  // The reading thread's answers come when they come.
  if (rows_->waiting() && random_() % 2 == 0) shard_->answer_rows(now());
  bool taken = shard_->wants_turn();
  shard_->begin_turn(now());
  taken |= shard_->wants_turn();
  Letter letter;
  for (int i = 0; i < 32 && around_.network.next_up(letter); ++i) {
    taken = true;
    net::Incoming message;
    message.peer = letter.peer;
    message.header = letter.header;
    message.body = letter.body;
    message.two_parts = true;
    shard_->take(message);
  }
  if (taken) shard_->finish_turn();
  after_call();
}

void Machine::after_call() {
  around_.recorder.digest(disk_.operations());
  if (disk_.off() || dead_) return die(power_goes_, "in a call");
  if (shard_->failure().empty()) return;
  // Fail-stop, as the broker does it: it ends in order.
  around_.recorder.note("stops:", shard_->failure());
  if (random_() % 2 == 0) end_process();
  die(power_goes_, "it stopped");
}

void Machine::end_process() {
  late_ = nullptr;
  silent_until_ms_ = 0;
  connection_breaks_ = false;
  rows_.reset();
  shard_.reset();
}

void Machine::die(bool power, const std::string& why) {
  around_.recorder.note(power ? "power loss," : "the process dies,", why);
  disk_.cut_power();  // what a dying process still does reaches nobody
  dead_ = true;
  end_process();
  if (power) {
    disk_.power_loss();
    booted_ms_ = around_.recorder.now_ms();
  } else {
    disk_.process_crash();
  }
  around_.recorder.add(EventKind::crash, "broker");
  around_.network.broker_gone();
  deaths_.clear();
  peers_.clear();
  sends_left_.reset();
  power_goes_ = false;
  starts_ms_ = around_.recorder.now_ms() + 5 + static_cast<std::int64_t>(random_() % 600);
}

void Machine::kill(bool power) {
  if (alive()) die(power, "killed");
}

void Machine::crash_after_sends(std::uint64_t count, bool power) {
  sends_left_ = count;
  power_goes_ = power;
}

void Machine::crash_after_operations(std::uint64_t count, bool power) {
  disk_.cut_power_in(count);
  power_goes_ = power;
}

void Machine::crash_in_start(std::uint64_t operations, bool power) {
  kill(power);
  start_operations_ = operations;
  power_goes_ = power;
}

void Machine::fail_operation(std::uint64_t after, DiskFault fault) {
  disk_.fail_in(after + 1, fault);
}

void Machine::fill_disk(bool full) {
  full_ = full;
  std::uint64_t used = 0;
  for (const auto& name : disk_.names()) used += disk_.size(name).value_or(0);
  disk_.set_capacity(full ? used + random_() % (3 * disk_free_bytes_min) : UINT64_MAX);
}

void Machine::calm() {
  sends_left_.reset();
  start_operations_.reset();
  power_goes_ = false;
  if (full_) fill_disk(false);
  // A cut or a failure that waits for its operation ends with the process.
  alive() ? kill(false) : disk_.process_crash();
}

bool Machine::all_ended() const {
  if (!alive()) return false;
  for (const auto& topic : shard_->engine().topics(now())) {
    if (topic.scheduled + topic.available + topic.running + topic.retryable > 0) return false;
  }
  return true;
}

void Machine::note_counts() {
  for (const auto& topic : shard_->engine().topics(now())) {
    HistoryEvent event;
    event.kind = EventKind::counts;
    event.topic = topic.topic.name;
    event.counts = {{"scheduled", topic.scheduled}, {"available", topic.available},
                    {"running", topic.running},     {"retryable", topic.retryable},
                    {"dead", topic.dead},           {"enqueued", topic.enqueued},
                    {"completed", topic.completed}, {"cancelled", topic.cancelled}};
    around_.recorder.add(std::move(event));
  }
}

void Machine::finish() {
  storage_catches_up();
  if (alive()) note_counts();
  end_process();
  note_rows(path, disk_.vfs(), around_.recorder);
  around_.recorder.digest(disk_.digest());
}

void Machine::note_issue(std::string_view body, bool left) {
  const auto message = wire::decode<wire::Deliver>(body);
  if (!message) return;
  for (const auto& job : message->jobs) {
    HistoryEvent event;
    event.kind = left ? EventKind::issued : EventKind::bounced;
    event.job =
        wire::job_text(message->topic, static_cast<std::uint16_t>(message->partition), job.seq);
    event.token = job.token;
    if (left) {
      event.tag = std::string(job.payload.substr(0, job.payload.find(' ')));
      event.attempt = static_cast<std::uint32_t>(job.attempt);
      event.wall_ms = around_.wall_ms;
    }
    around_.recorder.add(std::move(event));
  }
}

bool Machine::send(const std::string& peer, std::string_view header, std::string_view body) {
  if (sends_left_ && (*sends_left_)-- == 0) {
    sends_left_.reset();
    dead_ = true;
    disk_.cut_power();
  }
  if (dead_) return true;
  const auto decoded = wire::decode_header(header);
  const bool delivers = decoded && decoded->verb == static_cast<std::uint64_t>(wire::Verb::deliver);
  const bool left = around_.network.send_down(peer, header, body);
  if (delivers) note_issue(body, left);
  return left;
}

void Machine::worker_came(const net::Incoming& hello, const core::SessionId& session,
                          std::uint64_t /*pid*/) {
  peers_[session] = hello.peer;
}
void Machine::worker_went(const core::SessionId& session) { peers_.erase(session); }

// Workers whose newest connection has ended, as the broker noticed.
std::vector<core::SessionId> Machine::closed() {
  const auto ended = around_.network.ended();
  std::vector<core::SessionId> all;
  for (const auto& [session, peer] : peers_) {
    if (std::find(ended.begin(), ended.end(), peer) != ended.end()) all.push_back(session);
  }
  return all;
}

void Machine::outdated(const core::Delivery& delivery) {
  for (const core::Delivered& job : delivery.jobs) {
    HistoryEvent event;
    event.kind = EventKind::bounced;
    event.job = wire::job_text("t", delivery.where.partition, job.seq);
    event.token = job.token;
    around_.recorder.add(std::move(event));
  }
}

}  // namespace millrace::testing
