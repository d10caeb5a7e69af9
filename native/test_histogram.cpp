#include <map>
#include <stdexcept>

#include "check.hpp"
#include "histogram.hpp"
#include "sample.hpp"

using namespace chromapress;

namespace {

void matches_a_map(std::size_t width, std::size_t height, std::size_t channels, std::size_t threads = 1) {
  const auto data = sample::image(width, height, channels, 1);
  const Pixels pixels = sample::pixels(data, width, channels);
  std::map<Rgba, std::int64_t> expected;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const Rgba c = pixels.at(i);
    ++expected[c.a == 0 ? Rgba{} : c];
  }
  const Histogram h = histogram(pixels, threads);
  CHECK(h.colors.size() == expected.size());
  std::size_t i = 0;
  for (const auto& [color, count] : expected) {
    CHECK(h.colors[i] == color);
    CHECK(h.counts[i] == count);
    ++i;
  }
  validate({h.colors, h.counts});
}

}  // namespace

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    matches_a_map(1, 1, channels);
    matches_a_map(7, 3, channels);
    matches_a_map(97, 61, channels);
    matches_a_map(700, 600, channels, 3);
  }
  const std::vector<Rgba> colors = {{1, 1, 1, 255}, {2, 2, 2, 255}};
  const std::vector<Rgba> reversed = {colors[1], colors[0]}, transparent = {{1, 1, 1, 0}, {2, 2, 2, 255}};
  const std::vector<std::int64_t> counts = {1, 2}, zero = {1, 0}, one = {1}, huge = {std::int64_t{1} << 48, 1};
  validate({colors, counts});
  CHECK_THROWS((validate({reversed, counts}), 0));
  CHECK_THROWS((validate({transparent, counts}), 0));
  CHECK_THROWS((validate({colors, zero}), 0));
  CHECK_THROWS((validate({colors, one}), 0));
  CHECK_THROWS((validate({colors, huge}), 0));
}
