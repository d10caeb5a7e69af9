// libFuzzer: any bytes, deflated with any trials, are read back.
#include "decode_png.hpp"
#include "deflate.hpp"
#include "deflate_matches.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const Trials trials{1 + std::size_t{data[0]}, 1 + std::size_t{data[1]} % 4,
                      4 + std::size_t{data[2]} % (kMaxMatch - 3), 1 + std::size_t{data[1]} / 2};
  const std::vector<std::uint8_t> bytes(data + 3, data + size);
  CHECK(inflated(deflate_small(bytes, trials), bytes.size()) == bytes);
  return 0;
}
