// Checks our codec against sdk/wire/vectors.json, the test vectors for any client.
#include "wire/codec.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace millrace::wire {
namespace {

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// The frame as our codec writes what it read.
template <typename Message>
std::string again(std::string_view frame) {
  const auto message = decode<Message>(frame);
  return message ? encode(*message) : "refused: " + message.error().message;
}

const std::map<int, std::string (*)(std::string_view)> bodies{
    {1, again<Hello>},       {2, again<Empty>},       {16, again<Enqueue>},
    {32, again<Subscribe>},  {33, again<Credit>},     {34, again<Settle>},
    {35, again<Progress>},   {64, again<Topology>},   {66, again<TopicCreate>},
    {72, again<JobName>},    {73, again<Jobs>},       {76, again<Wait>},
    {80, again<DeadSelect>}, {129, again<ErrorBody>}, {130, again<Deliver>},
    {131, again<Revoke>},    {90, again<Backup>},     {91, again<Empty>},
    {67, again<TopicName>},  {75, again<JobName>},    {81, again<DeadSelect>},
};

nlohmann::json vectors() {
  std::ifstream file(MILLRACE_VECTORS);
  return nlohmann::json::parse(file);
}

TEST(Vectors, GoodOnesAreReadAndWrittenAgainByteForByte) {
  const auto all = vectors();
  ASSERT_GE(all["good"].size(), 16U);
  for (const auto& vector : all["good"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const auto verb = vector["verb"].get<int>();
    const std::string header = bytes_of(vector["header"]), body = bytes_of(vector["body"]);
    const auto read = decode_header(header);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->verb, static_cast<std::uint64_t>(verb));
    EXPECT_EQ(encode_header(static_cast<Verb>(read->verb), read->correlation), header);
    EXPECT_TRUE(check_frame(body));
    EXPECT_EQ(bodies.at(verb)(body), body);
  }
}

}  // namespace
}  // namespace millrace::wire
