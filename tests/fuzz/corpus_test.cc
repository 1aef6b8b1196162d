// Every file of the corpus through its target, by the usual compiler: a regression test of every
// input that once broke a parser, wherever the tests run.
#include <gtest/gtest.h>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#define MILLRACE_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t*, std::size_t)
MILLRACE_TARGET(frames);
MILLRACE_TARGET(dispatch);
MILLRACE_TARGET(config);
MILLRACE_TARGET(gateway);
MILLRACE_TARGET(cli);
MILLRACE_TARGET(rows);
MILLRACE_TARGET(sdk);
MILLRACE_TARGET(audit);
MILLRACE_TARGET(keys);
MILLRACE_TARGET(zap);
MILLRACE_TARGET(key_file);
#undef MILLRACE_TARGET

namespace {

struct Target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, HasNoFileThatBreaksItsParser) {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder = std::filesystem::path(MILLRACE_CORPUS) / GetParam().name;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 3U) << "a corpus has something to start from";
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    std::ifstream in(file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(GetParam().run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Fuzz, Corpus,
    testing::Values(Target{"frames", fuzz_frames}, Target{"dispatch", fuzz_dispatch},
                    Target{"config", fuzz_config}, Target{"gateway", fuzz_gateway},
                    Target{"cli", fuzz_cli}, Target{"rows", fuzz_rows}, Target{"sdk", fuzz_sdk},
                    Target{"audit", fuzz_audit}, Target{"keys", fuzz_keys}, Target{"zap", fuzz_zap},
                    Target{"key_file", fuzz_key_file}),
    [](const auto& target) { return std::string(target.param.name); });

}  // namespace
