#include <algorithm>
#include <stdexcept>

#include "check.hpp"
#include "sample.hpp"
#include "wu.hpp"

using namespace chromapress;

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    const auto data = sample::image(60, 50, channels, 3);
    const Histogram h = histogram(sample::pixels(data, 60, channels));
    const BoxTree tree = build_box_tree({h.colors, h.counts}, ColorSpace::srgb);
    for (const std::size_t k : {3u, 5u, 64u, 256u}) {
      const std::vector<Centre> centres = wu_centres(tree, k);
      CHECK(centres.size() == std::min<std::size_t>(k, h.colors.size()));
      const auto of_kind = [&](Kind kind) {
        return std::count_if(centres.begin(), centres.end(), [kind](const Centre& c) { return c.kind == kind; });
      };
      CHECK(of_kind(Kind::opaque) > 0);
      CHECK(of_kind(Kind::transparent) == (channels == 4 ? 1 : 0));
      CHECK((of_kind(Kind::translucent) > 0) == (channels == 4));
      for (const Centre& c : centres) CHECK(kind_of(c.at) == c.kind);
    }
  }
  // No more distinct colours than k: they are the centres.
  const std::vector<Rgba> colors = {{1, 1, 1, 255}, {1, 1, 2, 255}, {200, 1, 1, 255}};
  const std::vector<std::int64_t> counts = {1, 1'000'000'000'000, 3};
  CHECK(wu_centres(build_box_tree({colors, counts}, ColorSpace::srgb), 9).size() == 3);
}
