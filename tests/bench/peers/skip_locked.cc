// A hand-written queue on PostgreSQL: a producer inserts 500 rows a statement, several statements
// in a pipeline; a worker's transaction deletes the 500 oldest rows that are not locked, and
// commits after they were handled.
#include "peer.h"

#include <libpq-fe.h>
#include <poll.h>
#include <array>
#include <vector>

namespace millrace::bench {
namespace {

constexpr std::uint64_t batch = 500;

class Session {
 public:
  explicit Session(const Options& options) : raw_(PQconnectdb(options.text("db").c_str())) {
    if (PQstatus(raw_) != CONNECTION_OK) give_up(PQerrorMessage(raw_));
  }
  ~Session() { PQfinish(raw_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] PGconn* raw() const { return raw_; }
  // Runs it and returns the number of rows that it gave.
  int run(const char* sql) {
    PGresult* result = PQexecParams(raw_, sql, 0, nullptr, nullptr, nullptr, nullptr, 1);
    const int rows = PQntuples(result);
    check(result);
    return rows;
  }
  void check(PGresult* result) {
    const auto status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(PQerrorMessage(raw_));
    PQclear(result);
  }

 private:
  PGconn* raw_;
};

void setup(const Options& options) {
  Session session(options);
  session.run(
      "CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT "
      "NULL)");
}

// An array of bytea in PostgreSQL's binary form.
std::string array_of(std::uint64_t count, const std::string& payload) {
  constexpr std::uint32_t bytea = 17;
  std::string bytes;
  const auto number = [&bytes](std::uint64_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  };
  for (const std::uint64_t value :
       {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{bytea}, count, std::uint64_t{1}}) {
    number(value);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    number(payload.size());
    bytes += payload;
  }
  return bytes;
}

void send_jobs(Session& session, std::uint64_t count, const std::string& payload) {
  constexpr Oid bytea_array = 1001;
  const std::string jobs = array_of(count, payload);
  const char* value = jobs.data();
  const int size = static_cast<int>(jobs.size()), binary = 1;
  if (PQsendQueryParams(session.raw(), "INSERT INTO jobs (payload) SELECT unnest($1)", 1,
                        &bytea_array, &value, &size, &binary, 1) != 1 ||
      PQpipelineSync(session.raw()) != 1) {
    give_up(PQerrorMessage(session.raw()));
  }
}

// Takes the answer to one batch: its result, the null after it, the sync.
void take_answer(Session& session) {
  session.check(PQgetResult(session.raw()));
  PQclear(PQgetResult(session.raw()));
  PGresult* sync = PQgetResult(session.raw());
  if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC) give_up(PQerrorMessage(session.raw()));
  PQclear(sync);
}

void produce(const Options& options, Tally& tally) {
  Session session(options);
  const std::string payload(options.number("payload", 256), 'p');
  PQenterPipelineMode(session.raw());
  std::vector<std::uint64_t> open;
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t room) {
        const std::uint64_t count = std::min(room, batch);
        send_jobs(session, count, payload);
        open.push_back(count);
        return count;
      },
      [&] {
        take_answer(session);
        const std::uint64_t answered = open.front();
        open.erase(open.begin());
        return answered;
      });
}

void work(const Options& options, Tally& tally) {
  Session session(options);
  say_ready();
  while (!tally.finished()) {
    session.run("BEGIN");
    const int rows = session.run(
        "DELETE FROM jobs WHERE id = ANY(ARRAY(SELECT id FROM jobs ORDER BY id LIMIT 500 FOR "
        "UPDATE SKIP LOCKED)) RETURNING id, payload");
    session.run("COMMIT");
    if (rows > 0) {
      tally.add(static_cast<std::uint64_t>(rows));
    } else {
      ::poll(nullptr, 0, 1);
    }
  }
}

}  // namespace

const Peer skip_locked{setup, produce, work};

}  // namespace millrace::bench
