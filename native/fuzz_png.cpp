// libFuzzer: any bytes as palette and index map; the file's pixels are palette[index].
#include "decode_png.hpp"
#include "fuzz_map.hpp"
#include "png.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzMap input({data, size});
  if (input.height == 0) return 0;
  const std::vector<std::uint8_t> file = encode_png(input.map(), input.palette, input.effort);
  CHECK(decode_png(file, input.width, input.height) == input.pixels());
  return 0;
}
