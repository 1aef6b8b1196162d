// Jobs that share a row of packs (migrations/0005_packs.sql): how such a row is written, and how
// its jobs are read, alone or in line with the rows of jobs.
#pragma once

#include "core/job.h"
#include "storage/sqlite_handle.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::storage {

inline constexpr std::size_t pack_jobs_max = 62;  // bits of pack_gaps.gone, which SQL reads signed
inline constexpr std::size_t pack_bytes_max = 64U << 10U;  // of payloads, unless one job has more

// As its row says, payloads too if they were asked for.
struct Pack {
  std::int64_t id = 0;  // the key of job 0
  core::Job like;       // the fields that all of them share
  std::uint64_t gone = 0;
  std::vector<std::size_t> ends;  // one a job
  std::string_view payloads;      // of the statement's row

  [[nodiscard]] std::size_t begin_of(std::size_t at) const { return at == 0 ? 0 : ends[at - 1]; }
  [[nodiscard]] std::size_t bytes_of(std::size_t at) const { return ends[at] - begin_of(at); }
  [[nodiscard]] bool has(std::size_t at) const { return (gone >> at & 1U) == 0; }
  [[nodiscard]] core::Job job(std::size_t at, core::PartitionRef where, bool with_payload) const;
};

// The message for a row that PackJobs finds damaged().
inline constexpr const char* pack_damage = "a row of packs is inconsistent";

// The bits of so many jobs.
[[nodiscard]] constexpr std::uint64_t all_of(std::size_t jobs) {
  return (std::uint64_t{1} << jobs) - 1;
}

// The end of one payload after another, as the column has them.
void append_end(std::string& ends, std::size_t end);
void close_ends(std::string& ends);

// id, count, what its jobs share (columns.h), ends, payloads.
[[nodiscard]] std::string insert_pack_sql();

// The columns that PackJobs reads; the packs with ?1 < id <= ?2. With payloads, or NULL for them.
[[nodiscard]] std::string select_packs_sql(bool with_payloads);

// The jobs of packs with after < key <= last that have not left, by rising key. Binds and steps the
// statement, of select_packs_sql, which must outlive it and is not used otherwise meanwhile.
class PackJobs {
 public:
  PackJobs(Statement& packs, std::int64_t after, std::int64_t last);
  // To the first or the next one; false at the end, or when reading failed.
  [[nodiscard]] bool next();
  [[nodiscard]] std::int64_t key() const { return pack_.id + static_cast<std::int64_t>(at_); }
  [[nodiscard]] std::size_t payload_bytes() const { return pack_.bytes_of(at_); }
  [[nodiscard]] core::Job job(core::PartitionRef where, bool with_payload) const {
    return pack_.job(at_, where, with_payload);
  }
  [[nodiscard]] bool failed() const { return packs_.failed() || damaged_; }
  [[nodiscard]] bool damaged() const { return damaged_; }  // a row that is inconsistent

 private:
  [[nodiscard]] bool read_pack();

  Statement& packs_;
  std::int64_t after_, last_;
  Pack pack_;
  std::size_t at_ = 0;
  bool damaged_ = false;
};

// The live jobs of a stretch of keys in one partition, by rising key: a statement of rows of jobs
// (job_names), and the packs of the same stretch.
class LiveJobs {
 public:
  LiveJobs(Statement& rows, PackJobs packs) : rows_(rows), packs_(packs) {}
  [[nodiscard]] bool next();
  [[nodiscard]] bool packed() const { return in_pack_; }
  [[nodiscard]] const PackJobs& pack() const { return packs_; }
  [[nodiscard]] core::Job job(core::PartitionRef where, bool with_payload) const;
  [[nodiscard]] bool failed() const { return rows_.failed() || packs_.failed(); }
  [[nodiscard]] bool damaged() const { return packs_.damaged(); }

 private:
  Statement& rows_;
  PackJobs packs_;
  bool begun_ = false, row_ = false, pack_ = false, in_pack_ = false;
};

}  // namespace millrace::storage
