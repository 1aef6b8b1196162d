// The frames of the limit pipeline. Jobs: a Header, then count payloads of one size, end to end.
// The answer to them, and a worker's acknowledgement: the Header alone. A worker that comes sends a
// Header of no jobs.
#pragma once

#include "options.h"
#include "zmq_link.h"

#include <cstdint>
#include <cstring>

namespace millrace::bench::limit {

struct Header {
  std::uint64_t first = 0;  // the ids are first, first + 1, ...
  std::uint32_t count = 0, payload_bytes = 0;
};

inline Header header_of(Frame& frame) {
  Header header;
  if (frame.size() < sizeof header) give_up("a frame of the limit pipeline is too short");
  std::memcpy(&header, frame.data(), sizeof header);
  return header;
}

inline Frame frame_of(const Header& header, std::size_t payload_bytes = 0) {
  Frame frame(sizeof header + payload_bytes);
  std::memcpy(frame.data(), &header, sizeof header);
  return frame;
}

}  // namespace millrace::bench::limit
