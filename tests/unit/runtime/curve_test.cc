// The check of keys at the socket: what ZAP is answered, and that a broker whose check accepts an
// unknown client, or none, does not open an address.
#include "net/curve.h"
#include "access/key_text.h"
#include "net/endpoint.h"

#include <gtest/gtest.h>
#include <zmq.h>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::net {
namespace {

struct Known {
  access::KeyPair keys = access::new_key_pair();
  std::string bytes = std::string(32, '\0');  // as ZAP has it
  Known() {
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(bytes.data()), keys.public_key.c_str());
  }
};

TEST(Zap, OnlyAKeyOfCurveThatCountsIsAccepted) {
  const Known known;
  std::vector<std::string> asked;
  const auto counts = [&](std::string_view key, std::string_view address) {
    asked.push_back(std::string(key) + " " + std::string(address));
    return key == known.keys.public_key;
  };
  const ZapRequest good{"1.0", "7", "millrace", "192.0.2.1", "", "CURVE", known.bytes};
  const ZapAnswer answer = answer_zap(good, counts);
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.user_id, known.keys.public_key);
  EXPECT_EQ(asked, std::vector{known.keys.public_key + " 192.0.2.1"});

  asked.clear();
  const Known strange;
  std::vector<ZapRequest> bad(9, good);
  bad[0].version = "2.0";
  bad[1].version = {};
  bad[2].domain = {};
  bad[3].domain = "other";
  bad[4].mechanism = "NULL";
  bad[5].mechanism = "PLAIN";
  bad[6].credentials = {};
  bad[7].credentials = std::string_view(known.bytes).substr(1);
  bad[8].credentials = known.keys.public_key;  // as text
  for (const ZapRequest& request : bad) {
    const ZapAnswer refused = answer_zap(request, counts);
    EXPECT_EQ(refused.status, "400");
    EXPECT_EQ(refused.user_id, "");
  }
  EXPECT_TRUE(asked.empty());
  ZapRequest unknown = good;
  unknown.credentials = strange.bytes;
  EXPECT_EQ(answer_zap(unknown, counts).status, "400");
  EXPECT_EQ(answer_zap(unknown, counts).user_id, "");
  EXPECT_EQ(answer_zap({}, counts).status, "400");
}

// What require_keys() says when keys are checked by this function.
std::string tried(std::function<bool(std::string_view, std::string_view)> counts) {
  const access::KeyPair broker = access::new_key_pair();
  Endpoint endpoint;
  return endpoint.require_keys({broker.secret_key, broker.public_key, std::move(counts), false});
}

TEST(TryOut, ACheckThatWorksIsLetThrough) {
  EXPECT_EQ(tried([](std::string_view, std::string_view) { return false; }), "");
}

TEST(TryOut, ACheckThatLetsStrangersInStopsTheBroker) {
  EXPECT_EQ(tried([](std::string_view, std::string_view) { return true; }),
            "the check of keys accepted a connection with an unknown key, so the broker does not "
            "start: this is a fault of Millrace or of libzmq, please report it");
}

TEST(TryOut, ABrokersKeyThatDoesNotFitStopsTheBroker) {
  const access::KeyPair one = access::new_key_pair(), other = access::new_key_pair();
  Endpoint endpoint;
  EXPECT_EQ(
      endpoint.require_keys({one.secret_key, other.public_key,
                             [](std::string_view, std::string_view) { return false; }, false}),
      "the check of keys refused a key that counts, so no client could connect: this is a "
      "fault of Millrace or of libzmq, please report it");
}

TEST(RoutingIds, OfTheBrokerBeginWithAZeroAndHaveFiveBytes) {
  EXPECT_TRUE(assigned_by_broker(std::string_view("\0abcd", 5)));
  EXPECT_FALSE(assigned_by_broker(std::string_view("aabcd", 5)));
  EXPECT_FALSE(assigned_by_broker(std::string_view("\0abc", 4)));
  EXPECT_FALSE(assigned_by_broker(std::string_view("\0abcde", 6)));
  EXPECT_FALSE(assigned_by_broker({}));
}

}  // namespace
}  // namespace millrace::net
