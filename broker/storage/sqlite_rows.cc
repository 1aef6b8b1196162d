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

// Names of a list of columns, each behind those before it.
struct Names {
  std::string text;
  void operator()(const auto& column, auto /*member*/) { add(column.name); }
  void add(std::string_view name) {
    if (!text.empty()) text += ", ";
    text += name;
  }
};
// NULL in place of each.
struct Nulls {
  Names& names;
  void operator()(const auto& /*column*/, auto /*member*/) { names.add("NULL"); }
};
// name=?N for each, from ?first on.
struct Settings {
  int at;
  std::string text;
  void operator()(const auto& column, auto /*member*/) {
    if (!text.empty()) text += ", ";
    text += std::string(column.name) + "=?" + std::to_string(at++);
  }
};

// "?,?,?": a parameter for each name.
std::string parameters(std::string_view names) {
  std::string text = "?";
  for (const char c : names) text += c == ',' ? ",?" : "";
  return text;
}
std::string rows_of(const std::string& values, std::size_t rows) {
  std::string text = "(" + values + ")";
  for (std::size_t i = 1; i < rows; ++i) text += ",(" + values + ")";
  return text;
}

const core::Job plain_job;

template <typename Value>
bool is_plain(const Value& value, const Value& plain) {
  if constexpr (std::is_same_v<Value, core::Bytes>) {
    return value.empty();
  } else {
    return value == plain;
  }
}

}  // namespace

std::string job_names() {
  Names names{"id"};
  job_columns(names);
  return names.text;
}

std::string finished_job_names() {
  Names names{"id"};
  outcome_columns<core::Job>(names);
  waiting_columns<core::Job>(Nulls{names});
  given_columns<core::Job>(names);
  return names.text;
}

std::string end_names() {
  Names names;
  end_columns<JobRow>(names);
  return names.text;
}

int read_job(const Statement& row, core::PartitionRef where, bool with_payload, core::Job& job) {
  const RowKey key = RowKey::decode(row.number(0));
  job.ref = {where.topic, where.partition, key.seq};
  job.priority = key.priority;
  ReadRow<core::Job> read(row, 1, job, with_payload);
  job_columns(read);
  return read.next();
}

core::Job read_job(const Statement& row, core::PartitionRef where, bool with_payload) {
  core::Job job;
  read_job(row, where, with_payload, job);
  return job;
}

// Any failure undoes the whole commit, so a statement needs no journal of its own.
std::string insert_jobs_sql(std::size_t rows) {
  const std::string names = job_names();
  return "INSERT OR ROLLBACK INTO jobs (" + names + ") VALUES " + rows_of(parameters(names), rows);
}

int bind_job(Statement& put, int after, std::int64_t id, const core::Job& job) {
  put.bind(after + 1, id);
  BindRow<core::Job> bind(put, after + 1, job);
  job_columns(bind);
  return bind.last();
}

std::string update_job_sql() {
  Settings settings{2, {}};
  outcome_columns<core::JobStatus>(settings);
  waiting_columns<core::JobStatus>(settings);
  return "UPDATE jobs SET " + settings.text + " WHERE id=?1";
}

void bind_update(Statement& put, std::int64_t id, const core::JobStatus& status) {
  put.bind(1, id);
  BindRow<core::JobStatus> bind(put, 1, status);
  outcome_columns<core::JobStatus>(bind);
  waiting_columns<core::JobStatus>(bind);
}

bool alike(const core::Job& head, const core::Job& job) {
  bool all = true;
  job_columns([&](auto column, auto member) {
    if constexpr (decltype(column)::shared == Shared::once) {
      all = all && job.*member == head.*member;
    } else if constexpr (decltype(column)::shared == Shared::never) {
      all = all && is_plain(job.*member, plain_job.*member);
    }
  });
  return all;
}

// Values that are the same for all of them are in the statement, or are the default of their
// column.
std::string insert_alike_jobs_sql(std::size_t rows) {
  Names names;
  std::string shared, plain;
  int once = 0;
  job_columns_shared<Shared::once>([&](const auto& column, auto member) {
    names(column, member);
    shared += "?" + std::to_string(++once) + ",";
  });
  job_columns_shared<Shared::never>([&](const auto& column, auto member) {
    using Listed = std::remove_cvref_t<decltype(column)>;
    if constexpr (Listed::as == As::number) {
      names(column, member);
      plain += std::to_string(static_cast<std::int64_t>(plain_job.*member)) + ",";
    }
  });
  Names own{"id"};
  job_columns_shared<Shared::each>(own);
  return "INSERT OR ROLLBACK INTO jobs (" + names.text + ", " + own.text + ") VALUES " +
         rows_of(shared + plain + parameters(own.text), rows);
}

int bind_alike_jobs(Statement& put, const core::Job& any) {
  BindRow<core::Job> bind(put, 0, any);
  job_columns_shared<Shared::once>(bind);
  return bind.last();
}

int bind_alike_job(Statement& put, int after, std::int64_t id, const core::Job& job) {
  put.bind(after + 1, id);
  BindRow<core::Job> bind(put, after + 1, job);
  job_columns_shared<Shared::each>(bind);
  return bind.last();
}

std::string keep_job_sql() {
  Names ended{"id, topic_id"}, given;
  outcome_columns<core::JobFinish>(ended);
  end_columns<core::JobFinish>(ended);
  given_columns<core::Job>(given);
  std::string values = "?1";
  int at = 1;
  for (const char c : ended.text) values += c == ',' ? ",?" + std::to_string(++at) : "";
  return "INSERT INTO finished (" + ended.text + ", " + given.text + ") SELECT " + values + ", " +
         given.text + " FROM jobs WHERE id=?1";
}

std::string keep_left_job_sql() {
  Names names{"id, topic_id"};
  outcome_columns<core::JobFinish>(names);
  end_columns<core::JobFinish>(names);
  given_columns<core::Job>(names);
  return "INSERT INTO finished (" + names.text + ") VALUES (" + parameters(names.text) + ")";
}

void bind_keep(Statement& keep, std::int64_t id, const core::JobFinish& finish,
               const core::Job* left) {
  keep.bind(1, id).bind(2, finish.row.ref.topic);
  BindRow<core::JobFinish> bind(keep, 2, finish);
  outcome_columns<core::JobFinish>(bind);
  end_columns<core::JobFinish>(bind);
  if (left != nullptr) given_columns<core::Job>(BindRow<core::Job>(keep, bind.last(), *left));
}

std::string encode_answers(const std::vector<core::BatchAnswer>& answers) {
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

std::vector<core::BatchAnswer> decode_answers(std::string_view bytes) {
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

std::string select_topics_sql() {
  Names names;
  topic_columns(names);
  setting_columns(names);
  return "SELECT " + names.text + " FROM topics ORDER BY id";
}

std::string put_topic_sql() {
  Names names;
  topic_columns(names);
  setting_columns(names);
  return "INSERT OR REPLACE INTO topics (" + names.text + ") VALUES (" + parameters(names.text) +
         ")";
}

core::Topic read_topic(const Statement& row) {
  core::Topic topic;
  ReadRow<core::Topic> read(row, 0, topic);
  topic_columns(read);
  setting_columns(ReadRow<core::TopicSettings>(row, read.next(), topic.settings));
  return topic;
}

void bind_topic(Statement& statement, const core::Topic& topic) {
  BindRow<core::Topic> bind(statement, 0, topic);
  topic_columns(bind);
  setting_columns(BindRow<core::TopicSettings>(statement, bind.last(), topic.settings));
}

std::string select_partitions_sql() {
  Names names{"slot, topic_id, partition"};
  count_columns(names);
  return "SELECT " + names.text + " FROM partitions ORDER BY slot";
}

// An update in place, so that the index on topic and partition is left alone.
std::string put_partition_sql() {
  Names names{"slot, topic_id, partition"};
  count_columns(names);
  Settings settings{4, {}};
  count_columns(settings);
  return "INSERT INTO partitions (" + names.text + ") VALUES (" + parameters(names.text) +
         ") ON CONFLICT (slot) DO UPDATE SET " + settings.text;
}

core::PartitionRow read_partition(const Statement& row) {
  core::PartitionRow read;
  read.where = {static_cast<core::TopicId>(row.number(1)),
                static_cast<std::uint16_t>(row.number(2))};
  count_columns(ReadRow<core::PartitionCounts>(row, 3, read.counts));
  return read;
}

void bind_partition(Statement& put, std::int64_t slot, const core::PartitionRow& row) {
  put.bind(1, slot).bind(2, row.where.topic).bind(3, row.where.partition);
  count_columns(BindRow<core::PartitionCounts>(put, 3, row.counts));
}

}  // namespace millrace::storage
