#include "wire/headers.h"

#include "wire/limits.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include <cstdint>

namespace millrace::wire {
namespace {

// Shortest forms, no surrogates, nothing above U+10FFFF (RFC 3629).
bool is_utf8(std::string_view text) {
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  while (!text.empty()) {
    const auto lead = static_cast<std::uint8_t>(text.front());
    const std::size_t length = lead < 0x80              ? 1
                               : (lead & 0xe0U) == 0xc0 ? 2
                               : (lead & 0xf0U) == 0xe0 ? 3
                               : (lead & 0xf8U) == 0xf0 ? 4
                                                        : 0;
    if (length == 0 || length > text.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<std::uint8_t>(text[i]);
      if ((next & 0xc0U) != 0x80) return false;
      point = point << 6U | (next & 0x3fU);
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < least[length] || point > 0x10ffff || surrogate) return false;
    text.remove_prefix(length);
  }
  return true;
}

void pack_text(Packer* packer, std::string_view text) {
  packer->pack_str(static_cast<std::uint32_t>(text.size()));
  packer->pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

tl::unexpected<Error> refused(ErrorCode code, std::string what) {
  return tl::unexpected(Error{code, std::move(what), {}});
}

}  // namespace

Result<std::string> encode_headers(const Headers& headers) {
  if (headers.empty()) return std::string();
  if (headers.size() > job_headers_max) {
    return refused(ErrorCode::invalid,
                   "a job must not have more than " + std::to_string(job_headers_max) + " headers");
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    if (name.empty()) return refused(ErrorCode::invalid, "the name of a header must not be empty");
    if (!is_utf8(name))
      return refused(ErrorCode::invalid, "the name of a header is not valid UTF-8");
    bytes += name.size() + value.size();
    if (bytes > job_headers_bytes_max) break;  // before a name that is long stands in a message
    if (!is_utf8(value)) {
      return refused(ErrorCode::invalid, "the value of header '" + name + "' is not valid UTF-8");
    }
  }
  std::string out;
  if (bytes <= job_headers_bytes_max) {
    Sink sink(out, bytes + small_bytes);
    Packer packer(sink);
    packer.pack_map(static_cast<std::uint32_t>(headers.size()));
    for (const auto& [name, value] : headers) {
      pack_text(&packer, name);
      pack_text(&packer, value);
    }
  }
  if (bytes > job_headers_bytes_max || out.size() > job_headers_bytes_max) {
    return refused(ErrorCode::too_large,
                   "the headers of a job must not be larger than 1 KiB in msgpack, names included");
  }
  return out;
}

Headers decode_headers(std::string_view bytes) {
  Headers headers;
  Reader reader(bytes);
  std::size_t pairs = 0;
  if (bytes.empty()) return headers;
  if (!reader.map(pairs)) return {{"", std::string(bytes)}};
  for (; pairs > 0; --pairs) {
    std::string_view name, value;
    if (!reader.bytes(name) || !reader.bytes(value) || name.empty() || !is_utf8(name) ||
        !is_utf8(value)) {
      return {{"", std::string(bytes)}};
    }
    headers.insert_or_assign(std::string(name), std::string(value));
  }
  return reader.at_end() ? headers : Headers{{"", std::string(bytes)}};
}

}  // namespace millrace::wire
