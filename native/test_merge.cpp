#include <stdexcept>

#include "check.hpp"
#include "merge.hpp"
#include "sample.hpp"

using namespace chromapress;

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    std::vector<std::uint8_t> all;
    std::vector<Histogram> parts;
    for (unsigned seed = 0; seed < 5; ++seed) {
      const auto data = sample::image(16, 9, channels, seed);
      parts.push_back(histogram(sample::pixels(data, 16, channels)));
      all.insert(all.end(), data.begin(), data.end());
    }
    std::vector<HistogramView> views;
    for (const Histogram& h : parts) views.push_back({h.colors, h.counts});
    const Histogram sum = merge(views), expected = histogram(sample::pixels(all, 16, channels));
    CHECK(sum.colors == expected.colors);
    CHECK(sum.counts == expected.counts);
  }
  CHECK(merge({}).colors.empty());
}
