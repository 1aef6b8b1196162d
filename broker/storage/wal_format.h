// SQLite's write-ahead log, as its file format says (sections 4.1 and 4.2): a header of 32 bytes,
// then frames, each a header of 24 bytes and a page. All numbers are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::storage {

inline constexpr int wal_header_bytes = 32, frame_header_bytes = 24;
// In the header of the log: magic, version, page size, sequence, salts, checksum.
inline constexpr std::size_t wal_page_bytes_at = 8, wal_salts_at = 16, wal_sum_at = 24;
// In the header of a frame: page number, pages of the database if it ends a commit, salts,
// checksum.
inline constexpr std::size_t frame_commit_at = 4, frame_salts_at = 8, frame_sum_at = 16;

[[nodiscard]] inline std::uint32_t big_endian(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[0]) << 24U | static_cast<std::uint32_t>(at[1]) << 16U |
         static_cast<std::uint32_t>(at[2]) << 8U | at[3];
}

}  // namespace millrace::storage
