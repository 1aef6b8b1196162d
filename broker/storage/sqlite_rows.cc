#include "storage/sqlite_rows.h"

#include "storage/row_key.h"

namespace millrace::storage {
namespace {

void put(std::string& out, std::uint64_t value, unsigned width) {
  for (unsigned i = width; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
}

std::uint64_t take(std::string_view& in, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8U | static_cast<unsigned char>(in[i]);
  in.remove_prefix(width);
  return value;
}

constexpr std::size_t answer_bytes = 26;

}  // namespace

core::Job read_job(const Statement& row, core::PartitionRef where, bool with_payload) {
  const RowKey key = RowKey::unpack(row.number(0));
  core::Job job;
  job.ref = {where.topic, where.partition, key.seq};
  job.priority = key.priority;
  job.state = static_cast<core::State>(row.number(1));
  job.attempt = static_cast<std::uint32_t>(row.number(2));
  job.attempts_max = static_cast<std::uint32_t>(row.number(3));
  job.deaths = static_cast<std::uint32_t>(row.number(4));
  job.enqueued_ms = row.number(5);
  job.due_ms = row.number(6);
  job.key = row.bytes(7);
  job.headers = row.bytes(8);
  job.error = row.bytes(9);
  job.ended_token = static_cast<core::Token>(row.number(10));
  job.died_ms = row.number(11);
  if (with_payload) job.payload = core::Bytes(row.bytes(job_column_payload));
  return job;
}

void bind_new_job(Statement& put, int after, std::int64_t id, const core::Job& job) {
  put.bind(after + 1, id).bind(after + 2, static_cast<std::int64_t>(job.state));
  put.bind(after + 3, job.attempt).bind(after + 4, job.attempts_max).bind(after + 5, job.deaths);
  put.bind(after + 6, job.enqueued_ms);
  job.due_ms == 0 ? put.bind_null(after + 7) : put.bind(after + 7, job.due_ms);
  put.bind_text(after + 8, job.key).bind_bytes_or_null(after + 9, job.headers);
  put.bind_text(after + 10, job.error).bind_bytes(after + 11, job.payload);
}

bool alike(const core::Job& a, const core::Job& b) {
  const auto plain = [](const core::Job& job) {
    return job.state == core::State::available && job.attempt == 0 && job.deaths == 0 &&
           job.due_ms == 0 && job.key.empty() && job.headers.empty() && job.error.empty();
  };
  return plain(a) && plain(b) && a.attempts_max == b.attempts_max && a.enqueued_ms == b.enqueued_ms;
}

std::string insert_alike_jobs_sql(std::size_t rows) {
  std::string sql =
      "INSERT OR ROLLBACK INTO jobs (attempts_max, enqueued_ms, state, attempt, deaths, id, "
      "payload) VALUES ";
  for (std::size_t i = 0; i < rows; ++i) {
    sql += i == 0 ? "(?1,?2," : ",(?1,?2,";
    sql += std::to_string(static_cast<int>(core::State::available)) + ",0,0,?,?)";
  }
  return sql;
}

void bind_alike_jobs(Statement& put, const core::Job& any) {
  put.bind(1, any.attempts_max).bind(2, any.enqueued_ms);
}

void bind_alike_job(Statement& put, int row, std::int64_t id, const core::Job& job) {
  put.bind(3 + 2 * row, id).bind_bytes(4 + 2 * row, job.payload);
}

// Any failure undoes the whole commit, so a statement needs no journal of its own.
std::string insert_jobs_sql(std::size_t rows) {
  std::string sql =
      "INSERT OR ROLLBACK INTO jobs (" + std::string(new_job_columns) + ", payload) VALUES ";
  for (std::size_t i = 0; i < rows; ++i)
    sql += i == 0 ? "(?,?,?,?,?,?,?,?,?,?,?)" : ",(?,?,?,?,?,?,?,?,?,?,?)";
  return sql;
}

std::string pack_answers(const std::vector<core::BatchAnswer>& answers) {
  std::string out;
  out.reserve(answers.size() * answer_bytes);
  for (const auto& answer : answers) {
    put(out, answer.batch, 8);
    put(out, answer.where.topic, 4);
    put(out, answer.where.partition, 2);
    put(out, answer.first_seq, 8);
    put(out, answer.count, 4);
  }
  return out;
}

std::vector<core::BatchAnswer> unpack_answers(std::string_view bytes) {
  std::vector<core::BatchAnswer> answers;
  while (bytes.size() >= answer_bytes) {
    core::BatchAnswer answer;
    answer.batch = take(bytes, 8);
    answer.where.topic = static_cast<core::TopicId>(take(bytes, 4));
    answer.where.partition = static_cast<std::uint16_t>(take(bytes, 2));
    answer.first_seq = take(bytes, 8);
    answer.count = static_cast<std::uint32_t>(take(bytes, 4));
    answers.push_back(answer);
  }
  return answers;
}

core::Topic read_topic(const Statement& row) {
  core::Topic topic;
  topic.id = static_cast<core::TopicId>(row.number(0));
  topic.name = row.bytes(1);
  topic.paused = row.number(2) != 0;
  auto& s = topic.settings;
  s.partitions = static_cast<std::uint32_t>(row.number(3));
  s.attempts_max = static_cast<std::uint32_t>(row.number(4));
  s.backoff_ms_min = row.number(5);
  s.backoff_ms_max = row.number(6);
  s.run_ms_max = row.number(7);
  s.history = row.number(8) != 0;
  s.history_ms = row.number(9);
  s.dead_ms = row.number(10);
  s.dead_max = static_cast<std::uint64_t>(row.number(11));
  return topic;
}

void bind_topic(Statement& statement, const core::Topic& topic) {
  const auto& s = topic.settings;
  statement.bind(1, topic.id).bind_text(2, topic.name).bind(3, topic.paused ? 1 : 0);
  statement.bind(4, s.partitions).bind(5, s.attempts_max).bind(6, s.backoff_ms_min);
  statement.bind(7, s.backoff_ms_max).bind(8, s.run_ms_max).bind(9, s.history ? 1 : 0);
  statement.bind(10, s.history_ms).bind(11, s.dead_ms);
  statement.bind(12, static_cast<std::int64_t>(s.dead_max));
}

}  // namespace millrace::storage
