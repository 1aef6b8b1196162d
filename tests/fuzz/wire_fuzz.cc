// Any bytes as a frame: the codec answers or refuses, and what it accepts it can write and read
// again to the same bytes.
#include "wire/codec.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace millrace::wire;

template <typename Message>
void there_and_back(std::string_view frame) {
  const auto message = decode<Message>(frame);
  if (!message) return;
  const std::string written = encode(*message);
  const auto again = decode<Message>(written);
  if (!again || encode(*again) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  (void)decode_header(frame);
  (void)check_frame(frame);
  there_and_back<Hello>(frame);
  there_and_back<Enqueue>(frame);
  there_and_back<Subscribe>(frame);
  there_and_back<Settle>(frame);
  there_and_back<Progress>(frame);
  there_and_back<Deliver>(frame);
  there_and_back<Jobs>(frame);
  there_and_back<TopologyOk>(frame);
  there_and_back<JobView>(frame);
  there_and_back<DeadSelect>(frame);
  return 0;
}
