// A job's headers: the map of strings that applications use, and the encoded bytes that brokers
// store without parsing them.
#pragma once

#include <millrace/result.h>

#include <map>
#include <string>
#include <string_view>

namespace millrace::wire {

using Headers = std::map<std::string, std::string>;

// Of none: no bytes. Refused: more than job_headers_max, a name that is empty, text that is not
// UTF-8 (invalid), more than job_headers_bytes_max in all (too_large).
[[nodiscard]] Result<std::string> encode_headers(const Headers& headers);

// The texts are UTF-8 and no name is empty. Bytes that are not such a map, as clients of 0.1 could
// send them, come as they are under the empty name alone.
[[nodiscard]] Headers decode_headers(std::string_view bytes);

}  // namespace millrace::wire
