// The quota of enqueues of a key, with a clock that the test sets.
#include "access/enqueue_quotas.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::access {
namespace {

access::Key with_quota(std::uint64_t per_second, std::string name = "web-1") {
  access::Key key;
  key.name = std::move(name);
  key.quota.enqueues_per_second = per_second;
  return key;
}

TEST(EnqueueQuotas, AKeyWithoutOneIsNeverHeldUp) {
  EnqueueQuotas quotas;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(quotas.take(with_quota(0), 1'000'000, 0), 0);
}

TEST(EnqueueQuotas, ASecondsWorthIsThereAtOnceAndThenItWaits) {
  EnqueueQuotas quotas;
  const auto key = with_quota(10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(quotas.take(key, 1, 1'000), 0) << i;
  EXPECT_EQ(quotas.take(key, 1, 1'000), 100);  // until one job is left again
  EXPECT_GT(quotas.take(key, 1, 1'000), 0);    // being refused costs nothing
  EXPECT_EQ(quotas.take(key, 1, 1'100), 0);
  EXPECT_GT(quotas.take(key, 1, 1'100), 0);
}

TEST(EnqueueQuotas, ABatchOfAnySizePassesAndIsPaidByTheTimeAfterIt) {
  EnqueueQuotas quotas;
  const auto key = with_quota(10);
  EXPECT_EQ(quotas.take(key, 1'010, 0), 0);    // 1,000 jobs owed: 100 s
  EXPECT_EQ(quotas.take(key, 1, 0), 100'100);  // and one more for the next to fit
  EXPECT_EQ(quotas.take(key, 1, 99'999), 101);
  EXPECT_EQ(quotas.take(key, 1, 100'100), 0);
}

TEST(EnqueueQuotas, TheTimeThatIsToldIsEnough) {
  EnqueueQuotas quotas;
  for (const std::uint64_t per_second : {1U, 3U, 7U, 999U, 1'000'000U}) {
    const auto key = with_quota(per_second, "k" + std::to_string(per_second));
    std::int64_t now = 0;
    for (const std::size_t jobs : {1U, 5U, 1'024U, 17U}) {
      while (const auto wait_ms = quotas.take(key, jobs, now)) now += wait_ms;
      EXPECT_EQ(quotas.take(key, 0, now) > 0, quotas.take(key, 1, now) > 0);
    }
  }
}

TEST(EnqueueQuotas, TheMeanIsTheQuotaWhateverTheSizeOfBatches) {
  for (const std::size_t batch : {1U, 7U, 256U, 1'024U}) {
    EnqueueQuotas quotas;
    const auto key = with_quota(1'000);
    std::uint64_t stored = 0;
    for (std::int64_t now = 0; now < 60'000; ++now) {
      if (quotas.take(key, batch, now) == 0) stored += batch;
    }
    EXPECT_GE(stored, 60'000U);
    EXPECT_LE(stored, 60'000U + 1'000U + batch);
  }
}

TEST(EnqueueQuotas, IdleTimeSavesUpNoMoreThanASecond) {
  EnqueueQuotas quotas;
  const auto key = with_quota(10);
  EXPECT_EQ(quotas.take(key, 1, 0), 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(quotas.take(key, 1, 1'000'000), 0) << i;
  EXPECT_GT(quotas.take(key, 1, 1'000'000), 0);
}

TEST(EnqueueQuotas, OneKeyDoesNotPayForAnother) {
  EnqueueQuotas quotas;
  EXPECT_EQ(quotas.take(with_quota(1, "a"), 1'000, 0), 0);
  EXPECT_GT(quotas.take(with_quota(1, "a"), 1, 0), 0);
  EXPECT_EQ(quotas.take(with_quota(1, "b"), 1, 0), 0);
}

TEST(EnqueueQuotas, AQuotaThatIsRaisedCountsAtOnce) {
  EnqueueQuotas quotas;
  EXPECT_EQ(quotas.take(with_quota(1), 11, 0), 0);
  EXPECT_EQ(quotas.take(with_quota(1), 1, 0), 11'000);
  EXPECT_EQ(quotas.take(with_quota(1'000), 1, 0), 11);
}

}  // namespace
}  // namespace millrace::access
