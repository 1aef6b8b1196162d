// The checksum in the last bytes of each page of a file, which SQLite does not use because the
// header says that they are reserved. Any change within one 64-bit word changes it for certain,
// others all but certainly; the page's number is part of it, so that a page in a wrong place is
// detected too. Never 0: those bytes are zero in a page that another program has written.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace::storage {

inline constexpr std::size_t checksum_bytes = 8;
inline constexpr std::size_t reserved_at = 20;  // of the file's header: reserved bytes a page

static_assert(std::endian::native == std::endian::little, "files are read on such machines only");

// page: whole, of which the last checksum_bytes do not count.
[[nodiscard]] inline std::uint64_t page_checksum(const unsigned char* page, std::size_t page_bytes,
                                                 std::uint64_t number) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  constexpr std::size_t lanes = 4, word = sizeof(std::uint64_t);
  // Four lanes, because a multiplication is waited for longer than it takes.
  std::uint64_t lane[lanes] = {odd ^ number, odd * 3, odd * 5, odd * 7};
  const std::size_t words = (page_bytes - checksum_bytes) / word;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t value = 0;
    std::memcpy(&value, page + i * word, word);
    lane[i % lanes] = std::rotl((lane[i % lanes] ^ value) * odd, 29);
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t each : lane) {
    sum = (sum ^ each) * odd;
    sum ^= sum >> 32U;
  }
  return sum == 0 ? 1 : sum;
}

[[nodiscard]] inline std::uint64_t stored_checksum(const unsigned char* page,
                                                   std::size_t page_bytes) {
  std::uint64_t sum = 0;
  std::memcpy(&sum, page + page_bytes - checksum_bytes, checksum_bytes);
  return sum;
}

inline void store_checksum(unsigned char* page, std::size_t page_bytes, std::uint64_t number) {
  const std::uint64_t sum = page_checksum(page, page_bytes, number);
  std::memcpy(page + page_bytes - checksum_bytes, &sum, checksum_bytes);
}

// The page size in a header: 0 if it is not valid.
[[nodiscard]] inline std::size_t page_bytes_of(const unsigned char* header) {
  const std::size_t named = static_cast<std::size_t>(header[16]) << 8U | header[17];
  const std::size_t bytes = named == 1 ? 65'536 : named;
  return bytes >= 512 && std::has_single_bit(bytes) ? bytes : 0;
}

}  // namespace millrace::storage
