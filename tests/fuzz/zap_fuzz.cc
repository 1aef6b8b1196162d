// Fuzzing: any frames as a request of ZAP are refused, unless they are of CURVE, of our domain and
// of a key that counts. Each frame is a byte with its length, and so many bytes.
#include "net/curve.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  std::string_view left(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 7> frames;
  for (auto& frame : frames) {
    if (left.empty()) break;
    const auto length = static_cast<std::uint8_t>(left.front());
    left.remove_prefix(1);
    frame = left.substr(0, length);
    left.remove_prefix(frame.size());
  }
  const net::ZapRequest request{frames[0], frames[1], frames[2], frames[3],
                                frames[4], frames[5], frames[6]};
  for (const bool counts : {true, false}) {
    bool asked = false;
    const net::ZapAnswer answer =
        net::answer_zap(request, [&](std::string_view key, std::string_view /*address*/) {
          asked = true;
          if (key.size() != 40) std::abort();  // of characters of Z85
          return counts;
        });
    const bool well = request.version == "1.0" && request.domain == "millrace" &&
                      request.mechanism == "CURVE" && request.credentials.size() == 32;
    const bool accepted = answer.status == "200";
    if (asked != well || accepted != (well && counts)) std::abort();
    if (answer.user_id.empty() == accepted) std::abort();
  }
  return 0;
}
