declare <16 x float> @llvm.masked.load.v16f32.p0(ptr, <16 x i1>, <16 x float>)
define void @kernel(ptr %b0, ptr %b1, i64 %lo, i64 %hi) noinline nounwind {
entry:
  br label %loop1
loop1:
  %i3 = phi i64 [0, %entry], [%v34, %done6]
  %v10 = mul i64 %i3, 40
  %v11 = getelementptr float, ptr %b0, i64 %v10
  br label %loop5
loop5:
  %i7 = phi i64 [0, %loop1], [%v16, %loop5]
  %c8 = phi <16 x float> [splat (float 0x0000000000000000), %loop1], [%v15, %loop5]
  %v12 = getelementptr float, ptr %v11, i64 %i7
  %v13 = load <16 x float>, ptr %v12, align 32
  %v14 = fmul <16 x float> %v13, %v13
  %v15 = fadd <16 x float> %c8, %v14
  %v16 = add nsw i64 %i7, 16
  %v17 = icmp slt i64 %v16, 32
  br i1 %v17, label %loop5, label %done6
done6:
  %v19 = getelementptr float, ptr %v11, i64 32
  %v20 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 32 %v19, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %v21 = fmul <16 x float> %v20, %v20
  %v22 = select <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> %v21, <16 x float> splat (float 0x0000000000000000)
  %v23 = fadd <16 x float> %v15, %v22
  %v24 = shufflevector <16 x float> %v23, <16 x float> %v23, <16 x i32> <i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison>
  %v25 = fadd <16 x float> %v23, %v24
  %v26 = shufflevector <16 x float> %v25, <16 x float> %v25, <16 x i32> <i32 4, i32 5, i32 6, i32 7, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison>
  %v27 = fadd <16 x float> %v25, %v26
  %v28 = shufflevector <16 x float> %v27, <16 x float> %v27, <16 x i32> <i32 2, i32 3, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison>
  %v29 = fadd <16 x float> %v27, %v28
  %v30 = shufflevector <16 x float> %v29, <16 x float> %v29, <16 x i32> <i32 1, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison, i32 poison>
  %v31 = fadd <16 x float> %v29, %v30
  %v32 = extractelement <16 x float> %v31, i64 0
  %v33 = getelementptr float, ptr %b1, i64 %i3
  store float %v32, ptr %v33, align 4
  %v34 = add nsw i64 %i3, 1
  %v35 = icmp slt i64 %v34, 3
  br i1 %v35, label %loop1, label %done2
done2:
  ret void
}
