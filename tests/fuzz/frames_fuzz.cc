// Any bytes as a header frame and as a body frame of any verb: the codec decodes or refuses it, and
// accepted input survives a round trip to the same bytes. Input: a byte that picks the body, then
// the frame.
#include "wire/codec.h"

#include <array>
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

void flag(std::string_view frame) {
  const auto read = decode<Flag>(frame);
  if (!read) return;
  const auto again = decode<Flag>(encode_flag("created", read->value));
  if (!again || again->value != read->value) std::abort();
}

void head(std::string_view frame) {
  const auto header = decode_header(frame);
  if (header) (void)verb_name(header->verb);
}

using Reading = void (*)(std::string_view);
constexpr std::array readings{
    Reading{head},
    Reading{flag},
    Reading{there_and_back<Hello>},
    Reading{there_and_back<HelloOk>},
    Reading{there_and_back<Empty>},
    Reading{there_and_back<Topology>},
    Reading{there_and_back<TopologyOk>},
    Reading{there_and_back<Enqueue>},
    Reading{there_and_back<EnqueueOk>},
    Reading{there_and_back<Subscribe>},
    Reading{there_and_back<Credit>},
    Reading{there_and_back<Deliver>},
    Reading{there_and_back<Settle>},
    Reading{there_and_back<SettleOk>},
    Reading{there_and_back<Progress>},
    Reading{there_and_back<Revoke>},
    Reading{there_and_back<Closing>},
    Reading{there_and_back<TopicName>},
    Reading{there_and_back<TopicCreate>},
    Reading{there_and_back<TopicsOk>},
    Reading{there_and_back<JobName>},
    Reading{there_and_back<Wait>},
    Reading{there_and_back<Jobs>},
    Reading{there_and_back<JobView>},
    Reading{there_and_back<JobsOk>},
    Reading{there_and_back<ExplainOk>},
    Reading{there_and_back<CancelOk>},
    Reading{there_and_back<DeadSelect>},
    Reading{there_and_back<CountOk>},
    Reading{there_and_back<ShardView>},
    Reading{there_and_back<SessionsOk>},
    Reading{there_and_back<ErrorBody>},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view frame(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool whole = check_frame(frame).has_value();
  readings[data[0] % readings.size()](frame);
  (void)whole;
  return 0;
}
