// Media types and content codings, as HTTP writes them (RFC 9110).
#pragma once

#include <millrace/result.h>

#include <optional>
#include <string>
#include <string_view>

namespace millrace::gateway {

// Why a Content-Type is not JSON in UTF-8, or nothing.
[[nodiscard]] std::optional<std::string> not_json(std::string_view content_type);

enum class Coding { none, gzip, zstd };
// Of a Content-Encoding; nothing where it is unknown or more than one.
[[nodiscard]] std::optional<Coding> coding_of(std::string_view content_encoding);

// The body as it was before it was packed; at most bytes_max of it, in whatever time it was asked
// to grow to more.
[[nodiscard]] Result<std::string> unpacked(Coding coding, std::string_view body,
                                           std::size_t bytes_max);

}  // namespace millrace::gateway
