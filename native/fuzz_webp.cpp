// libFuzzer: any bytes as palette and index map; the file's pixels are palette[index].
#include <webp/decode.h>

#include "fuzz_map.hpp"
#include "webp.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzMap input({data, size});
  if (input.height == 0) return 0;
  const std::vector<std::uint8_t> file = encode_webp(input.map(), input.palette, input.effort);
  std::vector<Rgba> decoded(input.indices.size());
  CHECK(WebPDecodeRGBAInto(file.data(), file.size(), reinterpret_cast<std::uint8_t*>(decoded.data()),
                           decoded.size() * sizeof(Rgba), static_cast<int>(input.width * sizeof(Rgba))) != nullptr);
  CHECK(decoded == input.pixels());
  return 0;
}
