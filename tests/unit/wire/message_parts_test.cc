// Messages as ZeroMQ hands them over: of two parts, and of other shapes, which disturb none that
// come after them. And the words that both sides know.
#include "wire/message_parts.h"
#include "wire/codec.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::wire {
namespace {

class MessagePartsTest : public ::testing::Test {
 protected:
  MessagePartsTest() {
    zmq_bind(one_, "inproc://parts");
    zmq_connect(other_, "inproc://parts");
  }
  ~MessagePartsTest() override {
    zmq_close(one_);
    zmq_close(other_);
    zmq_ctx_term(context_);
  }
  void send(const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      zmq_send(other_, part.data(), part.size(), &part == &parts.back() ? 0 : ZMQ_SNDMORE);
    }
  }
  // Header and body, or what else came.
  std::string received() {
    MessageParts parts;
    switch (receive(one_, parts)) {
      case Received::nothing: return "nothing";
      case Received::other_shape: return "other shape";
      case Received::two_parts: break;
    }
    return std::string(parts.header.view()) + ":" + std::string(parts.body.view());
  }

 private:
  void* context_ = zmq_ctx_new();
  void* one_ = zmq_socket(context_, ZMQ_PAIR);
  void* other_ = zmq_socket(context_, ZMQ_PAIR);
};

TEST_F(MessagePartsTest, OfAnotherShapeAreDroppedToTheirEnd) {
  EXPECT_EQ(received(), "nothing");
  for (const std::vector<std::string>& parts :
       std::vector<std::vector<std::string>>{{"h", "b"},
                                             {"h"},
                                             {"h", ""},
                                             {"h", "b", "c"},
                                             std::vector<std::string>(9, "x"),
                                             {"i", "d"}}) {
    send(parts);
  }
  EXPECT_EQ(received(), "h:b");
  EXPECT_EQ(received(), "other shape");
  EXPECT_EQ(received(), "h:");
  EXPECT_EQ(received(), "other shape");
  EXPECT_EQ(received(), "other shape");
  EXPECT_EQ(received(), "i:d");
  EXPECT_EQ(received(), "nothing");
}

TEST(Words, OfABackupsStateAreReadAsTheyAreWritten) {
  EXPECT_EQ(backup_state_name(BackupState::none), "none");
  for (const BackupState state :
       {BackupState::none, BackupState::running, BackupState::done, BackupState::failed}) {
    EXPECT_EQ(parse_backup_state(backup_state_name(state)), state);
  }
  EXPECT_EQ(parse_backup_state("of tomorrow"), BackupState::none);
}

}  // namespace
}  // namespace millrace::wire
