#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "color.hpp"

using namespace chromapress;

int main() {
  // Every opaque grey and a grid of translucent colours survive the way through each space and back.
  for (const ColorSpace space : {ColorSpace::srgb, ColorSpace::oklab}) {
    for (int a = 255; a > 0; a -= 51) {
      for (int r = 0; r < 256; r += 17) {
        for (int b = 0; b < 256; b += 15) {
          const Rgba c{static_cast<std::uint8_t>(r), 77, static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(a)};
          const Point there = to_space(premultiply(c), space);
          CHECK(to_straight(from_space(there, space)) == c);
        }
      }
    }
  }
  // White and black of Oklab by its definition.
  const Point white = to_space(premultiply({255, 255, 255, 255}), ColorSpace::oklab);
  CHECK(std::abs(white[0] - 255) < 1e-4 && std::abs(white[1]) < 1e-4 && std::abs(white[2]) < 1e-4);
  CHECK(to_space(premultiply({0, 0, 0, 255}), ColorSpace::oklab)[0] == 0);
  // Rounding never changes the kind.
  CHECK(to_straight({0, 0, 0, 0.2}).a == 1);
  CHECK(to_straight({9, 9, 9, 254.9}).a == 254);
  CHECK(kind_of(Rgba{1, 2, 3, 0}) == Kind::transparent);
  CHECK(from_key(key_of(Rgba{1, 2, 3, 4})) == (Rgba{1, 2, 3, 4}));
}
