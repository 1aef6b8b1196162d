#include "storage/packs.h"

#include "storage/row_key.h"
#include "storage/sqlite_rows.h"

#include <charconv>
#include <limits>

namespace millrace::storage {
namespace {

// A JSON array of at least one number, as append_end wrote it, and none that falls.
bool read_ends(std::string_view text, std::vector<std::size_t>& ends) {
  ends.clear();
  const char* at = text.data();
  const char* const stop = at + text.size();
  for (char before = '['; at < stop && *at == before; before = ',') {
    std::size_t end = 0;
    const auto read = std::from_chars(at + 1, stop, end);
    if (read.ec != std::errc() || (!ends.empty() && end < ends.back())) return false;
    ends.push_back(end);
    at = read.ptr;
  }
  return !ends.empty() && stop - at == 1 && *at == ']';
}

}  // namespace

core::Job Pack::job(std::size_t at, core::PartitionRef where, bool with_payload) const {
  const RowKey key = RowKey::decode(id + static_cast<std::int64_t>(at));
  core::Job job = like;
  job.ref = {where.topic, where.partition, key.seq};
  job.priority = key.priority;
  if (with_payload) job.payload = core::Bytes(payloads.substr(begin_of(at), bytes_of(at)));
  return job;
}

void append_end(std::string& ends, std::size_t end) {
  ends += ends.empty() ? '[' : ',';
  char digits[20];
  ends.append(digits, std::to_chars(digits, digits + sizeof digits, end).ptr);
}

void close_ends(std::string& ends) { ends += ']'; }

std::string insert_pack_sql() {
  std::string names = "id, count", values = "?,?";
  job_columns_shared<Shared::once>([&](const auto& column, auto /*member*/) {
    names += ", " + std::string(column.name);
    values += ",?";
  });
  return "INSERT OR ROLLBACK INTO packs (" + names + ", ends, payloads) VALUES (" + values +
         ",?,?)";
}

std::string select_packs_sql(bool with_payloads) {
  std::string shared;
  job_columns_shared<Shared::once>([&shared](const auto& column, auto /*member*/) {
    shared += "p." + std::string(column.name) + ", ";
  });
  return "SELECT p.id, p.count, " + shared + "coalesce(g.gone, 0), p.ends, length(p.payloads), " +
         (with_payloads ? "p.payloads" : "NULL") +
         " FROM packs p LEFT JOIN pack_gaps g ON g.id=p.id WHERE p.id>?1 AND p.id<=?2 "
         "ORDER BY p.id";
}

// A pack that begins before the stretch may reach into it.
PackJobs::PackJobs(Statement& packs, std::int64_t after, std::int64_t last)
    : packs_(packs), after_(after), last_(last) {
  packs_.reset();
  packs_.bind(1, after - static_cast<std::int64_t>(pack_jobs_max)).bind(2, last);
}

bool PackJobs::next() {
  if (!pack_.ends.empty()) ++at_;
  while (!damaged_) {
    for (; at_ < pack_.ends.size(); ++at_) {
      if (key() > last_) break;
      if (key() > after_ && pack_.has(at_)) return true;
    }
    if (!read_pack()) return false;
  }
  return false;
}

bool PackJobs::read_pack() {
  pack_.ends.clear();
  at_ = 0;
  if (!packs_.row()) return false;
  pack_.id = packs_.number(0);
  const auto count = static_cast<std::size_t>(packs_.number(1));
  ReadRow<core::Job> read(packs_, 2, pack_.like);
  job_columns_shared<Shared::once>(read);
  const int gone = read.next(), ends = gone + 1, length = gone + 2, payloads = gone + 3;
  pack_.gone = static_cast<std::uint64_t>(packs_.number(gone));
  pack_.payloads = packs_.bytes(payloads);
  const std::size_t bytes = packs_.is_null(payloads)
                                ? static_cast<std::size_t>(packs_.number(length))
                                : pack_.payloads.size();
  const bool whole = read_ends(packs_.bytes(ends), pack_.ends) && pack_.ends.size() == count &&
                     count <= pack_jobs_max && pack_.ends.back() == bytes && pack_.id >= 0 &&
                     pack_.id <= std::numeric_limits<std::int64_t>::max() - 64;
  damaged_ = !whole;
  return whole;
}

bool LiveJobs::next() {
  if (!begun_ || !in_pack_) row_ = rows_.row();
  if (!begun_ || in_pack_) pack_ = packs_.next();
  begun_ = true;
  if (failed()) return false;
  in_pack_ = pack_ && (!row_ || packs_.key() < rows_.number(0));
  return row_ || pack_;
}

core::Job LiveJobs::job(core::PartitionRef where, bool with_payload) const {
  return in_pack_ ? packs_.job(where, with_payload) : read_job(rows_, where, with_payload);
}

}  // namespace millrace::storage
