#include <random>

#include "decode_png.hpp"
#include "plain_png.hpp"
#include "read_png.hpp"

using namespace chromapress;

namespace {

// Without the filters' numbers.
std::vector<std::uint8_t> samples(std::vector<std::uint8_t> rows, std::size_t height, std::size_t channels) {
  unfilter(rows, height, channels);
  std::vector<std::uint8_t> found;
  const std::size_t n = rows.size() / height;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % n != 0) found.push_back(rows[i]);
  }
  return found;
}

}  // namespace

int main() {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::size_t width = 1 + random() % 40, height = 1 + random() % 30, channels = 3 + random() % 2;
    std::vector<std::uint8_t> rows((width * channels + 1) * height);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = static_cast<std::uint8_t>(i % (width * channels + 1) == 0 ? random() % 5 : random());
    }
    const std::vector<std::uint8_t> file = plain_png(width, height, channels, rows, 1 + random() % 4);
    const auto image = read_png(file, width * height);
    CHECK(image && image->width == width && image->height == height && image->channels == channels);
    CHECK(image->data == samples(rows, height, channels));
    CHECK(!read_png(file, width * height - 1));
    // Cut off anywhere, or with any bit turned, it is for others to judge.
    CHECK(!read_png(std::span(file).first(random() % file.size()), width * height));
    std::vector<std::uint8_t> damaged = file;
    damaged[random() % file.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
    CHECK(!read_png(damaged, width * height));
    rows[0] = 5;
    CHECK(!read_png(plain_png(width, height, channels, rows), width * height));
  }
}
