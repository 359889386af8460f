(module
  (memory (export "memory") 16)
  ;; Weights are 22-bit whole numbers, and come in pairs of 16-bit halves: w = 2048 high + low. Two taps are one
  ;; i32x4.dot_i16x8_s for the low halves and one for the high ones, the sums are put together at the end.
  ;; A pair takes 8 bytes: low of the first and the second tap, high of the first and the second tap.

  ;; Grey as three channels, 16 pixels at a time; writes up to 15 pixels more.
  (func (export "spread") (param $src i32) (param $pixels i32) (param $dst i32)
    (local $grey v128)
    (block $done
      (br_if $done (i32.le_s (local.get $pixels) (i32.const 0)))
      (loop $chunk
        (local.set $grey (v128.load (local.get $src)))
        (v128.store (local.get $dst)
          (i8x16.shuffle 0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 (local.get $grey) (local.get $grey)))
        (v128.store offset=16 (local.get $dst)
          (i8x16.shuffle 5 5 6 6 6 7 7 7 8 8 8 9 9 9 10 10 (local.get $grey) (local.get $grey)))
        (v128.store offset=32 (local.get $dst)
          (i8x16.shuffle 10 11 11 11 12 12 12 13 13 13 14 14 14 15 15 15 (local.get $grey) (local.get $grey)))
        (local.set $src (i32.add (local.get $src) (i32.const 16)))
        (local.set $dst (i32.add (local.get $dst) (i32.const 48)))
        (br_if $chunk (i32.gt_s (local.tee $pixels (i32.sub (local.get $pixels) (i32.const 16))) (i32.const 0))))))

  ;; Colours of a profile as sRGB, in place. $light: what each level of red, then green, then blue is of the light of red,
  ;; green and blue (int32, 14 bits after the point, and a fourth number that is not used). $levels: the level of each light.
  (func (export "colours") (param $at i32) (param $pixels i32) (param $light i32) (param $levels i32)
    (local $sum v128)
    (block $done
      (br_if $done (i32.eqz (local.get $pixels)))
      (loop $pixel
        (local.set $sum (i32x4.add
          (i32x4.add
            (v128.load (i32.add (local.get $light) (i32.shl (i32.load8_u (local.get $at)) (i32.const 4))))
            (v128.load offset=4096 (i32.add (local.get $light) (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 4)))))
          (v128.load offset=8192 (i32.add (local.get $light) (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 4))))))
        (local.set $sum (i32x4.min_s
          (i32x4.max_s (i32x4.shr_s (local.get $sum) (i32.const 14)) (v128.const i32x4 0 0 0 0))
          (v128.const i32x4 16384 16384 16384 16384)))
        (i32.store8 (local.get $at)
          (i32.load8_u (i32.add (local.get $levels) (i32x4.extract_lane 0 (local.get $sum)))))
        (i32.store8 offset=1 (local.get $at)
          (i32.load8_u (i32.add (local.get $levels) (i32x4.extract_lane 1 (local.get $sum)))))
        (i32.store8 offset=2 (local.get $at)
          (i32.load8_u (i32.add (local.get $levels) (i32x4.extract_lane 2 (local.get $sum)))))
        (local.set $at (i32.add (local.get $at) (i32.const 3)))
        (br_if $pixel (local.tee $pixels (i32.sub (local.get $pixels) (i32.const 1)))))))

  ;; Horizontal pass, two rows at a time: of an odd number the last one is paired with what lies behind it, and writes a
  ;; row more. Tables: first byte offset of each output pixel (int32); weights, as many for each output pixel.
  (func (export "rows")
    (param $src i32) (param $srcStride i32) (param $rows i32)
    (param $first i32) (param $weights i32) (param $weightStride i32)
    (param $outWidth i32) (param $dst i32) (param $dstStride i32)
    (local $x i32) (local $at i32) (local $below i32) (local $end i32) (local $w i32) (local $f i32) (local $to i32)
    (local $low v128) (local $high v128) (local $pair v128)
    (local $a v128) (local $a2 v128) (local $b v128) (local $b2 v128)
    (block $done
      (br_if $done (i32.le_s (local.get $rows) (i32.const 0)))
      (loop $row
        (local.set $x (local.get $outWidth))
        (local.set $f (local.get $first))
        (local.set $w (local.get $weights))
        (local.set $to (local.get $dst))
        (loop $pixel
          (local.set $at (i32.add (local.get $src) (i32.load (local.get $f))))
          (local.set $below (i32.add (local.get $at) (local.get $srcStride)))
          (local.set $end (i32.add (local.get $w) (local.get $weightStride)))
          (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
          (local.set $b (local.get $a))
          (local.set $a2 (v128.const i32x4 0 0 0 0))
          (local.set $b2 (local.get $a2))
          (loop $taps
            (local.set $low (v128.load32_splat (local.get $w)))
            (local.set $high (v128.load32_splat offset=4 (local.get $w)))
            ;; Red, green and blue of two neighbours, as pairs of 16 bits.
            (local.set $pair (i8x16.shuffle 0 16 3 16 1 16 4 16 2 16 5 16 16 16 16 16
              (v128.load64_zero (local.get $at)) (v128.const i32x4 0 0 0 0)))
            (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $pair) (local.get $low))))
            (local.set $a2 (i32x4.add (local.get $a2) (i32x4.dot_i16x8_s (local.get $pair) (local.get $high))))
            (local.set $pair (i8x16.shuffle 0 16 3 16 1 16 4 16 2 16 5 16 16 16 16 16
              (v128.load64_zero (local.get $below)) (v128.const i32x4 0 0 0 0)))
            (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $pair) (local.get $low))))
            (local.set $b2 (i32x4.add (local.get $b2) (i32x4.dot_i16x8_s (local.get $pair) (local.get $high))))
            (local.set $at (i32.add (local.get $at) (i32.const 6)))
            (local.set $below (i32.add (local.get $below) (i32.const 6)))
            (br_if $taps (i32.lt_u (local.tee $w (i32.add (local.get $w) (i32.const 8))) (local.get $end))))
          (local.set $a (i32x4.shr_s (i32x4.add (local.get $a) (i32x4.shl (local.get $a2) (i32.const 11))) (i32.const 22)))
          (local.set $b (i32x4.shr_s (i32x4.add (local.get $b) (i32x4.shl (local.get $b2) (i32.const 11))) (i32.const 22)))
          (local.set $a (i16x8.narrow_i32x4_s (local.get $a) (local.get $b)))
          (local.set $a (i8x16.narrow_i16x8_u (local.get $a) (local.get $a)))
          ;; A byte more than a pixel has: the next pixel covers it, and there is a gap behind the last one.
          (v128.store32_lane 0 (local.get $to) (local.get $a))
          (v128.store32_lane 1 (i32.add (local.get $to) (local.get $dstStride)) (local.get $a))
          (local.set $to (i32.add (local.get $to) (i32.const 3)))
          (local.set $f (i32.add (local.get $f) (i32.const 4)))
          (br_if $pixel (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
        (local.set $dst (i32.add (local.get $dst) (i32.shl (local.get $dstStride) (i32.const 1))))
        (local.set $src (i32.add (local.get $src) (i32.shl (local.get $srcStride) (i32.const 1))))
        (br_if $row (i32.gt_s (local.tee $rows (i32.sub (local.get $rows) (i32.const 2))) (i32.const 0))))))

  ;; Vertical pass. $first: where the first input row of each output row begins.
  (func (export "columns")
    (param $src i32) (param $srcStride i32) (param $rowBytes i32)
    (param $first i32) (param $weights i32) (param $weightStride i32)
    (param $outHeight i32) (param $dst i32)
    (local $i i32) (local $at i32) (local $w i32) (local $end i32) (local $rowStart i32)
    (local $low v128) (local $high v128) (local $one v128) (local $other v128) (local $pair v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $a2 v128) (local $b2 v128) (local $c2 v128) (local $d2 v128)
    (block $done
      (br_if $done (i32.eqz (local.get $outHeight)))
      (loop $row
        (local.set $rowStart (i32.add (local.get $src) (i32.load (local.get $first))))
        (local.set $end (i32.add (local.get $weights) (local.get $weightStride)))
        (local.set $i (i32.const 0))
        (loop $chunk
          (local.set $at (i32.add (local.get $rowStart) (local.get $i)))
          (local.set $w (local.get $weights))
          (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
          (local.set $b (local.get $a))
          (local.set $c (local.get $a))
          (local.set $d (local.get $a))
          (local.set $a2 (v128.const i32x4 0 0 0 0))
          (local.set $b2 (local.get $a2))
          (local.set $c2 (local.get $a2))
          (local.set $d2 (local.get $a2))
          (loop $taps
            (local.set $low (v128.load32_splat (local.get $w)))
            (local.set $high (v128.load32_splat offset=4 (local.get $w)))
            (local.set $one (v128.load (local.get $at)))
            (local.set $at (i32.add (local.get $at) (local.get $srcStride)))
            (local.set $other (v128.load (local.get $at)))
            (local.set $at (i32.add (local.get $at) (local.get $srcStride)))
            ;; A value and the one below it, side by side.
            (local.set $pair (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $one) (local.get $other)))
            (local.set $other (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $one) (local.get $other)))
            (local.set $one (i16x8.extend_low_i8x16_u (local.get $pair)))
            (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $one) (local.get $low))))
            (local.set $a2 (i32x4.add (local.get $a2) (i32x4.dot_i16x8_s (local.get $one) (local.get $high))))
            (local.set $one (i16x8.extend_high_i8x16_u (local.get $pair)))
            (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $one) (local.get $low))))
            (local.set $b2 (i32x4.add (local.get $b2) (i32x4.dot_i16x8_s (local.get $one) (local.get $high))))
            (local.set $one (i16x8.extend_low_i8x16_u (local.get $other)))
            (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $one) (local.get $low))))
            (local.set $c2 (i32x4.add (local.get $c2) (i32x4.dot_i16x8_s (local.get $one) (local.get $high))))
            (local.set $one (i16x8.extend_high_i8x16_u (local.get $other)))
            (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $one) (local.get $low))))
            (local.set $d2 (i32x4.add (local.get $d2) (i32x4.dot_i16x8_s (local.get $one) (local.get $high))))
            (br_if $taps (i32.lt_u (local.tee $w (i32.add (local.get $w) (i32.const 8))) (local.get $end))))
          (local.set $a (i32x4.shr_s (i32x4.add (local.get $a) (i32x4.shl (local.get $a2) (i32.const 11))) (i32.const 22)))
          (local.set $b (i32x4.shr_s (i32x4.add (local.get $b) (i32x4.shl (local.get $b2) (i32.const 11))) (i32.const 22)))
          (local.set $c (i32x4.shr_s (i32x4.add (local.get $c) (i32x4.shl (local.get $c2) (i32.const 11))) (i32.const 22)))
          (local.set $d (i32x4.shr_s (i32x4.add (local.get $d) (i32x4.shl (local.get $d2) (i32.const 11))) (i32.const 22)))
          (v128.store (i32.add (local.get $dst) (local.get $i))
            (i8x16.narrow_i16x8_u
              (i16x8.narrow_i32x4_s (local.get $a) (local.get $b))
              (i16x8.narrow_i32x4_s (local.get $c) (local.get $d))))
          (br_if $chunk (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (local.get $rowBytes))))
        (local.set $dst (i32.add (local.get $dst) (local.get $rowBytes)))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (local.set $weights (i32.add (local.get $weights) (local.get $weightStride)))
        (br_if $row (local.tee $outHeight (i32.sub (local.get $outHeight) (i32.const 1)))))))

  ;; Pixels as float32 planes. $tables: a float32 for each value of the first channel, then of the second and the third.
  (func (export "planes")
    (param $src i32) (param $pixels i32) (param $tables i32) (param $first i32) (param $second i32) (param $third i32)
    (block $done
      (br_if $done (i32.eqz (local.get $pixels)))
      (loop $pixel
        (f32.store (local.get $first)
          (f32.load (i32.add (local.get $tables) (i32.shl (i32.load8_u (local.get $src)) (i32.const 2)))))
        (f32.store (local.get $second)
          (f32.load offset=1024 (i32.add (local.get $tables) (i32.shl (i32.load8_u offset=1 (local.get $src)) (i32.const 2)))))
        (f32.store (local.get $third)
          (f32.load offset=2048 (i32.add (local.get $tables) (i32.shl (i32.load8_u offset=2 (local.get $src)) (i32.const 2)))))
        (local.set $src (i32.add (local.get $src) (i32.const 3)))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (local.set $second (i32.add (local.get $second) (i32.const 4)))
        (local.set $third (i32.add (local.get $third) (i32.const 4)))
        (br_if $pixel (local.tee $pixels (i32.sub (local.get $pixels) (i32.const 1))))))))
