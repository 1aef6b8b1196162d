// What the gateway takes of a body, and how many connections.
#include "descriptors.h"
#include "media_types.h"

#include <gtest/gtest.h>

namespace millrace::gateway {
namespace {

TEST(Media, TypesHaveNoCaseAndMayHaveParameters) {
  for (const char* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; Charset=\"UTF-8\" ; x=y", "application/json;",
                           "application/json; x=\"a;b\""}) {
    EXPECT_FALSE(not_json(type)) << type;
  }
  for (const char* type :
       {"", "text/plain", "application/jsonp", "application/json, text/plain", "application/",
        "application/json; charset=iso-8859-1", "application/json; charset=\"latin1\"",
        "application/json; charset", "application/json; charset=utf-8; charset=utf-8",
        "application/json; charset=\"utf-8", "application/json charset=utf-8"}) {
    EXPECT_TRUE(not_json(type)) << type;
  }
}

TEST(Media, OneCodingIsUnpacked) {
  EXPECT_EQ(coding_of(""), Coding::none);
  EXPECT_EQ(coding_of("Identity"), Coding::none);
  EXPECT_EQ(coding_of("GZIP"), Coding::gzip);
  EXPECT_EQ(coding_of("zstd"), Coding::zstd);
  for (const char* coding : {"gzip, gzip", "br", "deflate", "gzip, zstd", "identity, gzip"}) {
    EXPECT_FALSE(coding_of(coding)) << coding;
  }
  for (const auto coding : {Coding::gzip, Coding::zstd}) {
    for (const char* body : {"", "x", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "{}"}) {
      EXPECT_FALSE(unpacked(coding, body, 1'000)) << body;
    }
  }
}

TEST(Descriptors, ConnectionsLeaveAReserve) {
  EXPECT_EQ(connections_within(60), 0U);
  EXPECT_EQ(connections_within(80), 16U);
  EXPECT_EQ(connections_within(1'024), 768U);
  EXPECT_EQ(connections_within(65'536), 64'512U);
}

}  // namespace
}  // namespace millrace::gateway
