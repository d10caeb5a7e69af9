// Gives a fuzz target a few inputs, the same every time: for the test suite, where there is no libFuzzer.
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main() {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::uint8_t> input(random() % 6000);
    // Few values repeat themselves, as images do.
    const unsigned values = 1 + random() % 256;
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random() % values * (255 / values));
    for (std::size_t i = 0; i < input.size() && i < 8; ++i) input[i] = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}
